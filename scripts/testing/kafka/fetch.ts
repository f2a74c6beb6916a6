import { kafkaJars } from "./jars.js";

console.log(await kafkaJars());
