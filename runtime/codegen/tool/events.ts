/** What `scaffold events` stands on. Internal: versioned with the tool. */
export * from "../../events/operate.js";
