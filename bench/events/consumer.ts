import { consume } from "./ours.js";

/** A consumer in a process of its own: tells its parent what is handled, a few at a time, and ends with it. */
let texts: string[] = [];
const end = await consume(JSON.parse(process.argv[2] ?? ""), (text) => texts.push(text));
const telling = setInterval(() => {
  if (texts.length > 0) process.send?.(texts);
  texts = [];
}, 2);
process.on("disconnect", async () => {
  clearInterval(telling);
  await end.close();
});
process.send?.([]);
