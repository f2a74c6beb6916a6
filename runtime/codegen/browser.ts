/** For `_browser` files: clients in pages. Internal: versioned with the tool. */
export { type BrowserClientOptions, createBrowserClient } from "../client/browser-client.js";
