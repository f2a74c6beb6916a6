import { parentPort, workerData } from "node:worker_threads";
import { descriptors } from "../image/descriptors.js";
import { printMessages } from "./messages.js";

parentPort!.postMessage(printMessages(descriptors({ bytes: workerData as Uint8Array })));
