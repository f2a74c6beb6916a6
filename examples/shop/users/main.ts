import { serve } from "@protoscaffold/runtime/rpc/serve";
import { users } from "./users.js";

await serve(users, { migrations: new URL("./migrations/", import.meta.url) });
