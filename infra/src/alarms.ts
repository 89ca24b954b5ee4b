/** What somebody should hear of. Each alarm has a name of its own, and tells the topic when it comes and when it has gone. */
import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import type { Context } from "./context";

export interface Watched {
    functionName: pulumi.Output<string>;
    httpApiId: pulumi.Output<string>;
    websocketApiId: pulumi.Output<string>;
    connectionsTable: pulumi.Output<string>;
    requestsTable: pulumi.Output<string>;
    deadLettersName?: pulumi.Output<string>;
}

interface Alarm {
    says: string;
    namespace: string;
    metric: string;
    dimensions: Record<string, pulumi.Input<string>>;
    statistic: string;
    above: number;
    /** Of five minutes each. */
    periods?: number;
}

function alarmsOf(context: Context, watched: Watched): Record<string, Alarm> {
    const fn = { FunctionName: watched.functionName };
    const http = { ApiId: watched.httpApiId, Stage: context.stage };
    return {
        "lambda-errors": { says: "the function fails", namespace: "AWS/Lambda", metric: "Errors", dimensions: fn, statistic: "Sum", above: 5 },
        "lambda-throttles": { says: "more is asked of the function than may run at once: raise its concurrency", namespace: "AWS/Lambda",
            metric: "Throttles", dimensions: fn, statistic: "Sum", above: 0 },
        "http-api-5xx": { says: "visitors get 5xx: services behind tunnels are down, or we are", namespace: "AWS/ApiGateway", metric: "5xx",
            dimensions: http, statistic: "Sum", above: 25 },
        "http-api-p99": { says: "one visitor of a hundred waits for more than ten seconds", namespace: "AWS/ApiGateway", metric: "Latency",
            dimensions: http, statistic: "p99", above: 10_000, periods: 3 },
        "websocket-errors": { says: "agents' messages do not reach the function", namespace: "AWS/ApiGateway", metric: "IntegrationError",
            dimensions: { ApiId: watched.websocketApiId, Stage: context.stage }, statistic: "Sum", above: 5 },
        ...(watched.deadLettersName ? streamAlarms(fn, watched.deadLettersName) : {}),
    };
}

function streamAlarms(fn: Alarm["dimensions"], queue: pulumi.Output<string>): Record<string, Alarm> {
    return {
        "stream-dead-letters-depth": { says: "records of the stream were given up: the queue tells which", namespace: "AWS/SQS",
            metric: "ApproximateNumberOfMessagesVisible", dimensions: { QueueName: queue }, statistic: "Maximum", above: 0 },
        "stream-iterator-age": { says: "the stream is read late: requests wait for it", namespace: "AWS/Lambda", metric: "IteratorAge",
            dimensions: fn, statistic: "Maximum", above: 10_000 },
    };
}

/** Both tables, reads and writes, in one. */
function throttleQueries(watched: Watched) {
    const tables = [["c", watched.connectionsTable], ["r", watched.requestsTable]] as const;
    const queries = tables.flatMap(([id, table]) => ["ReadThrottleEvents", "WriteThrottleEvents"].map((metric, i) => ({
        id: `${id}${i}`,
        metric: { namespace: "AWS/DynamoDB", metricName: metric, dimensions: { TableName: table }, stat: "Sum", period: 300 },
    })));
    return [{ id: "all", expression: "SUM(METRICS())", label: "throttled", returnData: true }, ...queries];
}

export function makeAlarms(context: Context, watched: Watched, topic: aws.sns.Topic): aws.cloudwatch.MetricAlarm[] {
    const common = (name: string, says: string) => ({
        name: context.named(`alarm-${name}`),
        alarmDescription: says,
        comparisonOperator: "GreaterThanThreshold",
        treatMissingData: "notBreaching",
        alarmActions: [topic.arn],
        okActions: [topic.arn],
    });
    const made = Object.entries(alarmsOf(context, watched)).map(([name, alarm]) =>
        new aws.cloudwatch.MetricAlarm(name, {
            ...common(name, alarm.says),
            namespace: alarm.namespace,
            metricName: alarm.metric,
            dimensions: alarm.dimensions,
            ...(alarm.statistic.startsWith("p") ? { extendedStatistic: alarm.statistic } : { statistic: alarm.statistic }),
            period: 300,
            evaluationPeriods: alarm.periods ?? 1,
            threshold: alarm.above,
        }, context.options));
    return [...made, new aws.cloudwatch.MetricAlarm("dynamodb-throttles", {
        ...common("dynamodb-throttles", "a table refuses calls: more than it can scale to in that time"),
        metricQueries: throttleQueries(watched),
        evaluationPeriods: 1,
        threshold: 0,
    }, context.options)];
}
