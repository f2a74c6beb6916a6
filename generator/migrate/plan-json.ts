import type { Changes } from "./changes.js";
import type { SchemaSnapshot } from "./snapshot.js";

/**
 * Refuses changes of messages that are kept as JSON: there, fields are known by name, so a new name would make what is
 * stored under the old one disappear without a word.
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
