import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { GetOrderRequestSchema, PlaceOrderRequestSchema } from "@shop/generated/shop/orders/v1/orders_pb.js";
import { CreateUserRequestSchema } from "@shop/generated/shop/users/v1/users_pb.js";
import { expect, test } from "vitest";
import { BadRequestSchema } from "../options/google/rpc/error_details_pb.js";
import { prepareValidation, validateMessage } from "./validate.js";

function errorOf(run: () => void): ConnectError {
  try {
    run();
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error("nothing was refused");
}

test("a message that keeps its rules passes", () => {
  prepareValidation([GetOrderRequestSchema, CreateUserRequestSchema]);
  validateMessage(GetOrderRequestSchema, create(GetOrderRequestSchema, { id: "1" }));
  validateMessage(
    CreateUserRequestSchema,
    create(CreateUserRequestSchema, { user: { email: "ada@example.com", displayName: "Ada" } }),
  );
});

test("every broken rule is named, with its field as the contract spells it", () => {
  const request = create(PlaceOrderRequestSchema, {
    requestId: "1",
    customerId: "",
    lines: [{ productId: "p", quantity: 1 }, { quantity: 1001 }],
    paymentMethod: "card",
  });
  const error = errorOf(() => validateMessage(PlaceOrderRequestSchema, request));
  expect(error.code).toBe(Code.InvalidArgument);
  expect(error.rawMessage).toMatchInlineSnapshot(
    `"customer_id: must be at least 1 characters; lines[1].product_id: must be at least 1 characters; lines[1].quantity: must be greater than 0 and less than or equal to 1000"`,
  );
  const { fieldViolations } = error.findDetails(BadRequestSchema)[0] ?? create(BadRequestSchema);
  expect(fieldViolations.map(({ field, reason }) => [field, reason])).toEqual([
    ["customer_id", "STRING_MIN_LEN"],
    ["lines[1].product_id", "STRING_MIN_LEN"],
    ["lines[1].quantity", "INT32_GT_LTE"],
  ]);
});

test("a field that must be there is missed", () => {
  const error = errorOf(() => validateMessage(CreateUserRequestSchema, create(CreateUserRequestSchema)));
  expect(error.rawMessage).toBe("user: value is required");
});

test("a message of another type is the server's own mistake", () => {
  expect(errorOf(() => validateMessage(GetOrderRequestSchema, create(PlaceOrderRequestSchema))).code).toBe(
    Code.Internal,
  );
});
