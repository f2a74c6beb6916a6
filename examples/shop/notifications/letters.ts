import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { LetterSchema } from "@shop/generated/shop/notifications/v1/notifications_pb.js";
import type { LetterRepository } from "@shop/generated/shop/notifications/v1/notifications_repository.js";

/**
 * Sends a letter, as a mail server would that takes an idempotency key: a second one of the same id is the same letter,
 * and not sent again.
 */
export async function sendLetter(letters: LetterRepository, letter: MessageInitShape<typeof LetterSchema>) {
  try {
    await letters.create(letter);
  } catch (error) {
    if (ConnectError.from(error).code !== Code.AlreadyExists) throw error;
  }
}
