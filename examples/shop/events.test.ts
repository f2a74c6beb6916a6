import { corpusFaults } from "@protoscaffold/runtime/testing";
import { expect, test } from "vitest";
import { analytics } from "./analytics/analytics.js";
import { notifications } from "./notifications/notifications.js";
import { recommendations } from "./recommendations/recommendations.js";

test.each([analytics, notifications, recommendations])(
  "$spec.name reads every version of what it consumes as it was written",
  async (service) => {
    expect(await corpusFaults(service, new URL("./", import.meta.url))).toEqual([]);
  },
);
