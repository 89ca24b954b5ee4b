/** The mapping of the pending requests' stream to the function: only where something is done with it. */
import * as aws from "@pulumi/aws";
import type { Invoked } from "./canary";
import type { Context } from "./context";
import { stack, tables as schema } from "./schema";
import type { Tables } from "./tables";

/** Direct and polling need no stream; a mapping would cost an invocation a request. */
export function wantsStream({ settings }: Context): boolean {
    return settings.waitMode === "stream" || settings.publishEvents;
}

/** Where the mapping tells of records that it has given up; it tells where they stood, not what was in them. */
export function makeDeadLetters(context: Context): aws.sqs.Queue | undefined {
    if (!wantsStream(context)) return undefined;
    return new aws.sqs.Queue("stream-dead-letters", {
        name: context.named("stream-dead-letters"),
        messageRetentionSeconds: 14 * 24 * 3600,
        sqsManagedSseEnabled: true,
    }, context.options);
}

export function makeMapping(context: Context, tables: Tables, fn: Invoked, deadLetters: aws.sqs.Queue): void {
    const { mapping } = stack;
    new aws.lambda.EventSourceMapping("pending-requests-stream", {
        eventSourceArn: tables.pendingRequests.streamArn,
        functionName: fn.arn,
        startingPosition: mapping.startingPosition,
        batchSize: mapping.batchSize,
        maximumBatchingWindowInSeconds: mapping.windowSeconds,
        bisectBatchOnFunctionError: mapping.bisect,
        maximumRetryAttempts: mapping.retries,
        maximumRecordAgeInSeconds: mapping.maximumAgeSeconds,
        functionResponseTypes: mapping.reportBatchItemFailures ? ["ReportBatchItemFailures"] : [],
        filterCriteria: { filters: [{ pattern: JSON.stringify(schema.pendingRequests.streamFilter) }] },
        destinationConfig: { onFailure: { destinationArn: deadLetters.arn } },
    }, context.options);
}
