/** A new version of the function takes over bit by bit: an alias that all invoke, and a deployment group of CodeDeploy that shifts it, and
 *  puts it back when an alarm comes. `./dev deploy` starts the shift (infra/deploy). */
import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import type { Context } from "./context";

export const ALIAS = "live";

/** What routes, schedule and mapping invoke: the function, or its alias. */
export interface Invoked {
    arn: pulumi.Output<string>;
    invokeArn: pulumi.Output<string>;
    /** Of permissions. */
    on: { function: pulumi.Output<string>; qualifier?: pulumi.Output<string> };
    alias?: aws.lambda.Alias;
}

/** Where the alias points is CodeDeploy's to say, once it is there. */
export function makeInvoked(context: Context, fn: aws.lambda.Function): Invoked {
    if (context.settings.canary === "none") return { arn: fn.arn, invokeArn: fn.invokeArn, on: { function: fn.name } };
    const alias = new aws.lambda.Alias("handler-alias", { name: ALIAS, functionName: fn.name, functionVersion: fn.version },
        { ...context.options, ignoreChanges: ["functionVersion", "routingConfig"] });
    return { arn: alias.arn, invokeArn: alias.invokeArn, on: { function: fn.name, qualifier: alias.name }, alias };
}

/** What CodeDeploy does to a function and its alias, and that it may look at the alarms. */
function makeRole(context: Context, fn: aws.lambda.Function): aws.iam.Role {
    const role = new aws.iam.Role("canary-role", {
        assumeRolePolicy: JSON.stringify({
            Version: "2012-10-17",
            Statement: [{ Effect: "Allow", Principal: { Service: "codedeploy.amazonaws.com" }, Action: "sts:AssumeRole" }],
        }),
    }, context.options);
    new aws.iam.RolePolicy("canary-policy", {
        role: role.id,
        policy: fn.arn.apply((arn) => JSON.stringify({
            Version: "2012-10-17",
            Statement: [
                { Effect: "Allow", Action: ["lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"], Resource: [arn, `${arn}:*`] },
                { Effect: "Allow", Action: ["cloudwatch:DescribeAlarms"], Resource: ["*"] }, // it can be given for no single alarm
            ],
        })),
    }, context.options);
    return role;
}

/** The alarms are of the whole function, with what the old version does: they are few, and a canary that fails raises them. */
export function makeCanary(context: Context, fn: aws.lambda.Function, alarms: readonly aws.cloudwatch.MetricAlarm[]): Record<string, pulumi.Output<string>> {
    const { canary } = context.settings;
    if (canary === "none") return {};
    const application = new aws.codedeploy.Application("canary-application", { name: context.named("canary"), computePlatform: "Lambda" }, context.options);
    const group = new aws.codedeploy.DeploymentGroup("canary-group", {
        appName: application.name,
        deploymentGroupName: context.named("canary"),
        deploymentConfigName: `CodeDeployDefault.Lambda${canary}`,
        serviceRoleArn: makeRole(context, fn).arn,
        deploymentStyle: { deploymentType: "BLUE_GREEN", deploymentOption: "WITH_TRAFFIC_CONTROL" },
        alarmConfiguration: { enabled: true, alarms: alarms.map(({ name }) => name) },
        autoRollbackConfiguration: { enabled: true, events: ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"] },
    }, context.options);
    return { canaryApplication: application.name, canaryGroup: group.deploymentGroupName, lambdaFunctionVersion: fn.version };
}
