import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { LetterSchema } from "@shop/generated/shop/notifications/v1/notifications_pb.js";
import type { LetterRepository } from "@shop/generated/shop/notifications/v1/notifications_repository.js";

/**
 * Sends a letter. Stands in for a mail server that takes idempotency keys: a second letter with the same id is not sent.
 */
export async function sendLetter(letters: LetterRepository, letter: MessageInitShape<typeof LetterSchema>) {
  try {
    await letters.create(letter);
  } catch (error) {
    if (ConnectError.from(error).code !== Code.AlreadyExists) throw error;
  }
}
