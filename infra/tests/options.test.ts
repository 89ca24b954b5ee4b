/** What is in the stack by setting alone: canary, VPC, cost anomalies. */
import { describe, expect, test } from "vitest";
import { ACCOUNT, GOOD, REGION, run } from "./mocks";

const ALIAS_ARN = `arn:aws:lambda:${REGION}:${ACCOUNT}:function:http-tunnel-handler-dev:live`;
const CANARY = { ...GOOD, canary: "Canary10Percent5Minutes" };

describe("a canary", () => {
    test("all invoke the alias, and may", async () => {
        const world = await run({ ...CANARY, waitMode: "stream" });
        const alias = world.one("handler-alias");
        expect(alias.inputs).toEqual({ name: "live", functionName: "http-tunnel-handler-dev", functionVersion: "7" });
        expect(world.one("unified-handler").inputs["publish"]).toBe(true);
        for (const { inputs } of world.of("aws:apigatewayv2/integration:Integration")) expect(inputs["integrationUri"]).toBe(alias.state["invokeArn"]);
        for (const { inputs } of world.of("aws:lambda/permission:Permission"))
            expect(inputs).toMatchObject({ function: "http-tunnel-handler-dev", qualifier: "live" });
        expect(world.one("cleanup-target").inputs["arn"]).toBe(ALIAS_ARN);
        expect(world.one("pending-requests-stream").inputs["functionName"]).toBe(ALIAS_ARN);
    });

    test("every alarm puts the old version back", async () => {
        const world = await run(CANARY);
        const { inputs } = world.one("canary-group");
        const alarms = world.of("aws:cloudwatch/metricAlarm:MetricAlarm").map((alarm) => alarm.inputs["name"]);
        expect(inputs).toMatchObject({ appName: "http-tunnel-canary-dev", deploymentConfigName: "CodeDeployDefault.LambdaCanary10Percent5Minutes",
            alarmConfiguration: { enabled: true }, autoRollbackConfiguration: { enabled: true, events: ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"] } });
        expect([...inputs["alarmConfiguration"].alarms].sort()).toEqual(alarms.sort());
        expect(alarms.length).toBe(6);
        expect(world.outputs).toMatchObject({ canaryApplication: "http-tunnel-canary-dev", canaryGroup: "http-tunnel-canary-dev", lambdaFunctionVersion: "7" });
    });

    test("CodeDeploy may shift this alias, and nothing of another function", async () => {
        const policy = JSON.parse((await run(CANARY)).one("canary-policy").inputs["policy"]);
        const [shift, look] = policy.Statement;
        expect(shift.Resource).toEqual([ALIAS_ARN.replace(":live", ""), ALIAS_ARN.replace(":live", ":*")]);
        expect(look).toMatchObject({ Action: ["cloudwatch:DescribeAlarms"] });
    });

    test("is not there unless it is set: the function itself is invoked", async () => {
        const world = await run(GOOD);
        expect(world.names().filter((name) => /canary|alias/.test(name))).toEqual([]);
        expect(world.one("unified-handler").inputs["publish"]).toBeUndefined();
        expect(world.one("connect-lambda-permission").inputs).not.toHaveProperty("qualifier");
    });
});

test("a VPC", async () => {
    const world = await run({ ...GOOD, vpcSubnetIds: "subnet-1a,subnet-2b", vpcSecurityGroupIds: "sg-3c" });
    expect(world.one("unified-handler").inputs["vpcConfig"]).toEqual({ subnetIds: ["subnet-1a", "subnet-2b"], securityGroupIds: ["sg-3c"] });
    const [statement] = JSON.parse(world.one("handler-vpc-policy").inputs["policy"]).Statement;
    expect(statement.Action.every((right: string) => /^ec2:\w+(NetworkInterface|Subnet)s?$/.test(right))).toBe(true);
    expect((await run(GOOD)).names()).not.toContain("handler-vpc-policy");
});

test("cost anomalies are told to somebody", async () => {
    const world = await run({ ...GOOD, costAnomaly: "5", alertEmail: "ops@example.com" });
    expect(world.one("cost-anomaly").inputs).toMatchObject({ subscribers: [{ type: "EMAIL", address: "ops@example.com" }],
        monitorArnLists: [world.one("cost-monitor").state["arn"]], thresholdExpression: { dimension: { values: ["5"] } } });
    expect(JSON.parse(world.one("cost-monitor").inputs["monitorSpecification"])).toMatchObject({ Tags: { Key: "Project" } });
    expect((await run(GOOD)).names().filter((name) => name.startsWith("cost-"))).toEqual([]);
});
