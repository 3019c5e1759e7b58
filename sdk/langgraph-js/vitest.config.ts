import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globals: true, // the validation package takes describe, it and expect from there
    include: ["test/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
