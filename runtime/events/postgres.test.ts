import { describeBroker } from "./testing/broker-suite.js";
import { postgresEngine } from "./testing/postgres-engine.js";

describeBroker("PostgreSQL", postgresEngine);
