/** The bus for others, and the schedule that removes what has expired. */
import * as aws from "@pulumi/aws";
import type { Invoked } from "./canary";
import type { Context } from "./context";
import { stack } from "./schema";

/** There also where nothing is published: others' rules may be on it. */
export function makeBus(context: Context): aws.cloudwatch.EventBus {
    return new aws.cloudwatch.EventBus("http-tunnel-events", { name: context.named("events") }, context.options);
}

export function makeSchedule(context: Context, fn: Invoked): void {
    const rule = new aws.cloudwatch.EventRule("cleanup-schedule", {
        name: context.named("cleanup"),
        description: "Removes what has expired from the tables",
        scheduleExpression: stack.schedule,
    }, context.options);
    new aws.cloudwatch.EventTarget("cleanup-target", { rule: rule.name, arn: fn.arn }, context.options);
    new aws.lambda.Permission("cleanup-permission", {
        action: "lambda:InvokeFunction",
        ...fn.on,
        principal: "events.amazonaws.com",
        sourceArn: rule.arn,
    }, context.options);
}
