/** Who is told, the dashboard, and the budget. */
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { makeAlarms, type Watched } from "./alarms";
import type { Context } from "./context";

type Metric = [namespace: string, name: string, ...dimensions: string[]];

function widget(context: Context, index: number, title: string, stat: string, metrics: Metric[]) {
    return { type: "metric", x: (index % 2) * 12, y: Math.floor(index / 2) * 6, width: 12, height: 6,
        properties: { title, stat, metrics, period: 300, region: context.settings.awsRegion, view: "timeSeries" } };
}

interface Names { fn: string; http: string; websocket: string; connections: string; requests: string }

function dashboard(context: Context, { fn, http, websocket, connections, requests }: Names): string {
    const lambda = (name: string): Metric => ["AWS/Lambda", name, "FunctionName", fn];
    const api = (name: string, id: string): Metric => ["AWS/ApiGateway", name, "ApiId", id, "Stage", context.stage];
    const table = (name: string, of: string): Metric => ["AWS/DynamoDB", name, "TableName", of];
    const widgets: [string, string, Metric[]][] = [
        ["Visitors", "Sum", [api("Count", http), api("4xx", http), api("5xx", http)]],
        ["How long visitors wait (p99, ms)", "p99", [api("Latency", http)]],
        ["Agents: connections and messages", "Sum", [api("ConnectCount", websocket), api("MessageCount", websocket), api("IntegrationError", websocket)]],
        ["The function", "Sum", [lambda("Invocations"), lambda("Errors"), lambda("Throttles")]],
        ["At once", "Maximum", [lambda("ConcurrentExecutions")]],
        ["Units of the tables", "Sum", [connections, requests].flatMap((of) =>
            [table("ConsumedReadCapacityUnits", of), table("ConsumedWriteCapacityUnits", of)])],
    ];
    return JSON.stringify({ widgets: widgets.map(([title, stat, metrics], i) => widget(context, i, title, stat, metrics)) });
}

function makeBudget(context: Context, dollars: number, email: string): aws.budgets.Budget {
    const notification = (type: string, percent: number) => ({ comparisonOperator: "GREATER_THAN", notificationType: type,
        threshold: percent, thresholdType: "PERCENTAGE", subscriberEmailAddresses: [email] });
    return new aws.budgets.Budget("tunnel-budget", {
        name: `http-tunnel-${context.settings.environment}`,
        budgetType: "COST",
        limitAmount: String(dollars),
        limitUnit: "USD",
        timeUnit: "MONTHLY",
        notifications: [notification("ACTUAL", 80), notification("FORECASTED", 100)],
    }, context.options);
}

/** Of what bears the tag of this project; AWS looks once a day. */
function makeAnomaly(context: Context, dollars: number, email: string): void {
    const monitor = new aws.costexplorer.AnomalyMonitor("cost-monitor", {
        name: context.named("cost"),
        monitorType: "CUSTOM",
        monitorSpecification: JSON.stringify({ Tags: { Key: "Project", Values: ["http-tunnel"], MatchOptions: null } }),
    }, context.options);
    new aws.costexplorer.AnomalySubscription("cost-anomaly", {
        name: context.named("cost-anomaly"),
        frequency: "DAILY",
        monitorArnLists: [monitor.arn],
        subscribers: [{ type: "EMAIL", address: email }],
        thresholdExpression: { dimension: { key: "ANOMALY_TOTAL_IMPACT_ABSOLUTE", matchOptions: ["GREATER_THAN_OR_EQUAL"], values: [String(dollars)] } },
    }, context.options);
}

export interface Monitoring { names: { dashboardName?: pulumi.Output<string>; budgetName?: pulumi.Output<string> }; alarms: aws.cloudwatch.MetricAlarm[] }

export function makeMonitoring(context: Context, watched: Watched): Monitoring {
    const { alertEmail, costAnomaly, enableMonitoring, monthlyBudget } = context.settings;
    if (costAnomaly && alertEmail) makeAnomaly(context, costAnomaly, alertEmail);
    const budget = monthlyBudget && alertEmail ? makeBudget(context, monthlyBudget, alertEmail) : undefined;
    const named = budget ? { budgetName: budget.name } : {};
    if (!enableMonitoring) return { names: named, alarms: [] };
    // not encrypted by a key: alarms cannot publish to a topic with AWS's own key, and what they say is no secret
    const topic = new aws.sns.Topic("alarms", { name: context.named("alarms") }, context.options);
    if (alertEmail)
        new aws.sns.TopicSubscription("alarms-mail", { topic: topic.arn, protocol: "email", endpoint: alertEmail }, context.options);
    const alarms = makeAlarms(context, watched, topic);
    const names = pulumi.output({ fn: watched.functionName, http: watched.httpApiId, websocket: watched.websocketApiId,
        connections: watched.connectionsTable, requests: watched.requestsTable });
    const made = new aws.cloudwatch.Dashboard("tunnel-dashboard", {
        dashboardName: `http-tunnel-${context.settings.environment}`,
        dashboardBody: names.apply((all) => dashboard(context, all)),
    }, context.options);
    return { names: { dashboardName: made.dashboardName, ...named }, alarms };
}
