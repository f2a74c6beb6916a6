import { type MessagesRequest, printMessagesHere } from "./messages.js";

process.once("message", (request: MessagesRequest) => {
  process.send!(printMessagesHere(request), () => process.disconnect());
});
