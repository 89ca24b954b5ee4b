import { defineConfig } from "vitest/config";

export default defineConfig({
    test: {
        include: ["tests/*.test.ts"],
        // the library for AWS is large, and read once a worker
        testTimeout: 240_000,
        hookTimeout: 240_000,
        pool: "threads",
        maxWorkers: 2,
    },
});
