import type { Changes } from "./changes.js";
import type { SchemaSnapshot } from "./snapshot.js";

/**
 * Refuses renamed fields in messages that are stored as JSON: fields are identified by name there, so values under the old name
 * would be lost silently.
 */
export function planJson(before: SchemaSnapshot, after: SchemaSnapshot, changes: Changes): void {
  for (const [message, fields] of Object.entries(after.messages)) {
    for (const [number, now] of Object.entries(fields)) {
      const was = before.messages[message]?.[Number(number)];
      if (was === undefined || was === now) continue;
      const [oldName, oldType] = was.split(": ");
      const [name, type] = now.split(": ");
      changes.refuse({
        rule: "MIGRATION_REFUSED",
        message,
        field: Number(number),
        problem:
          oldType === type
            ? `${message} is stored as JSON, where this field is called ${oldName}, not ${name}. Keep that name there: [json_name = "${oldName}"]`
            : `${message} is stored as JSON, where ${oldName} is ${oldType}, not ${type}. Add a new field instead, and mark this one deprecated`,
        title: `change_${name?.toLowerCase()}`,
      });
    }
  }
}
