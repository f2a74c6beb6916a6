import { serve } from "@protoscaffold/runtime/service";
import { users } from "./users.js";

await serve(users, { migrations: new URL("./migrations/", import.meta.url) });
