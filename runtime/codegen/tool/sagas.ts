/** What `scaffold sagas` stands on. Internal: versioned with the tool. */
export * from "../../saga/admin.js";
