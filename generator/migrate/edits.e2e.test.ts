import { test } from "vitest";
import { walkEdits } from "../testing/walk-edits.js";

test("200 edits of a contract lose no row that should be kept", () => walkEdits(200));
