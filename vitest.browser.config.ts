import { defineConfig, mergeConfig } from "vitest/config";
import base from "./vitest.config.js";

/** The pages, in Debian's Chromium: not part of `npm test`, which needs no browser. */
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({ test: { include: ["examples/**/*.browser.test.ts"], exclude: ["**/node_modules/**", "**/dist/**"] } }),
);
