/** For `_schema` files: tables, and rows as messages. Internal: versioned with the tool. */
export { createMessage } from "../codec/create.js";
export { own } from "../codec/message.js";
export * from "../data/postgres/columns.js";
