/** Calls services from pages. */
export { type BrowserClientOptions, createBrowserClient } from "./client/browser-client.js";
