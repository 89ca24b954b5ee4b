import { beforeAll, describe, expect, test } from "vitest";
import { GOOD, run, type Inputs, type World } from "./mocks";

const FN = { FunctionName: "http-tunnel-handler-dev" };
const HTTP = { ApiId: "http-apiid", Stage: "dev" };
const ALARMS: [string, string, string, Inputs][] = [
    ["lambda-errors", "AWS/Lambda", "Errors", FN],
    ["lambda-throttles", "AWS/Lambda", "Throttles", FN],
    ["http-api-5xx", "AWS/ApiGateway", "5xx", HTTP],
    ["http-api-p99", "AWS/ApiGateway", "Latency", HTTP],
    ["websocket-errors", "AWS/ApiGateway", "IntegrationError", { ApiId: "websocket-apiid", Stage: "dev" }],
    ["stream-dead-letters-depth", "AWS/SQS", "ApproximateNumberOfMessagesVisible", { QueueName: "http-tunnel-stream-dead-letters-dev" }],
    ["stream-iterator-age", "AWS/Lambda", "IteratorAge", FN],
];

let world: World;
beforeAll(async () => { world = await run({ ...GOOD, waitMode: "stream", alertEmail: "ops@example.com", monthlyBudget: "20" }); });
const alarms = (of: World) => of.of("aws:cloudwatch/metricAlarm:MetricAlarm");

describe("alarms", () => {
    test.each(ALARMS)("%s", (name, namespace, metricName, dimensions) => {
        expect(world.one(name).inputs).toMatchObject({ namespace, metricName, dimensions, treatMissingData: "notBreaching" });
    });

    test("of tables' throttling look at throttling, on both tables", () => {
        const queries = world.one("dynamodb-throttles").inputs["metricQueries"] as Inputs[];
        const seen = queries.flatMap(({ metric }) => (metric ? [`${metric.dimensions.TableName} ${metric.metricName}`] : []));
        expect(seen.sort()).toEqual(["connections", "pending-requests"].flatMap((table) =>
            ["ReadThrottleEvents", "WriteThrottleEvents"].map((metric) => `http-tunnel-${table}-dev ${metric}`)).sort());
        expect(queries.filter(({ returnData }) => returnData)).toHaveLength(1);
    });

    test("all tell the topic, and no two share a name", () => {
        const topic = world.one("alarms").state["arn"];
        for (const { inputs } of alarms(world)) expect([inputs["alarmActions"], inputs["okActions"]]).toEqual([[topic], [topic]]);
        const names = alarms(world).map(({ inputs }) => inputs["name"]);
        expect(new Set(names).size).toBe(names.length);
        expect(names).toHaveLength(ALARMS.length + 1);
        expect(world.one("alarms-mail").inputs).toEqual({ topic, protocol: "email", endpoint: "ops@example.com" });
    });

    test("of the stream are there only with it; without monitoring none is", async () => {
        expect((await run(GOOD)).names().filter((name) => name.startsWith("stream-"))).toEqual([]);
        const quiet = await run({ ...GOOD, enableMonitoring: "false" });
        expect(alarms(quiet)).toEqual([]);
        expect(quiet.names()).not.toContain("tunnel-dashboard");
    });
});

describe("dashboard and budget", () => {
    test("the dashboard names metrics of HTTP APIs, not of REST APIs", () => {
        const { dashboardBody, dashboardName } = world.one("tunnel-dashboard").inputs;
        const { widgets } = JSON.parse(dashboardBody);
        expect(widgets).toHaveLength(6);
        expect(dashboardBody).not.toMatch(/5XXError|4XXError|ApiName/);
        expect(world.outputs["dashboardName"]).toBe(dashboardName);
    });

    test("a budget tells somebody, twice", async () => {
        const { inputs } = world.one("tunnel-budget");
        expect(inputs).toMatchObject({ name: "http-tunnel-dev", limitAmount: "20", limitUnit: "USD", timeUnit: "MONTHLY" });
        expect(inputs["notifications"].map((one: Inputs) => [one["notificationType"], one["threshold"], one["subscriberEmailAddresses"]]))
            .toEqual([["ACTUAL", 80, ["ops@example.com"]], ["FORECASTED", 100, ["ops@example.com"]]]);
        expect((await run(GOOD)).names()).not.toContain("tunnel-budget");
    });
});
