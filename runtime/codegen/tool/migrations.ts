/** What `scaffold migrate` stands on. Internal: versioned with the tool. */
export * from "../../data/migrations/migrate.js";
