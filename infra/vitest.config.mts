import { defineConfig } from "vitest/config";

export default defineConfig({
    test: {
        include: ["tests/*.test.ts"],
        // the library for AWS is large, and read once a worker
        testTimeout: 60_000,
        hookTimeout: 120_000,
        pool: "threads",
        maxWorkers: 2,
    },
});
