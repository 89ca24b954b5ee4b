/** What the program would make, as a template of CloudFormation, which checkers can read: each resource that one of their rules looks at. */
import type { Inputs, Made, World } from "./mocks";

type Properties = Record<string, unknown>;
interface Resource { Type: string; Properties: Properties }

/** The policies of a role are resources of their own here, and part of it there. */
function role(made: Made, world: World): Properties {
    const own = world.of("aws:iam/rolePolicy:RolePolicy").filter(({ inputs }) => inputs["role"] === made.id);
    return { AssumeRolePolicyDocument: JSON.parse(made.inputs["assumeRolePolicy"]),
        Policies: own.map(({ name, inputs }) => ({ PolicyName: name, PolicyDocument: JSON.parse(inputs["policy"]) })) };
}

function table({ inputs: i }: Made): Properties {
    const key = (name: string) => [{ AttributeName: name, KeyType: "HASH" }];
    return { TableName: i["name"], BillingMode: i["billingMode"], KeySchema: key(i["hashKey"]),
        AttributeDefinitions: i["attributes"].map((one: Inputs) => ({ AttributeName: one["name"], AttributeType: one["type"] })),
        ...(i["globalSecondaryIndexes"].length > 0 ? { GlobalSecondaryIndexes: i["globalSecondaryIndexes"].map((one: Inputs) =>
            ({ IndexName: one["name"], KeySchema: key(one["hashKey"]), Projection: { ProjectionType: one["projectionType"] } })) } : {}),
        ...(i["streamEnabled"] ? { StreamSpecification: { StreamViewType: i["streamViewType"] } } : {}),
        SSESpecification: { SSEEnabled: i["serverSideEncryption"].enabled },
        TimeToLiveSpecification: { AttributeName: i["ttl"].attributeName, Enabled: i["ttl"].enabled },
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: i["pointInTimeRecovery"].enabled } };
}

function fn({ inputs: i }: Made): Properties {
    return { FunctionName: i["name"], Description: i["description"], Role: i["role"], PackageType: i["packageType"], Runtime: i["runtime"],
        Handler: i["handler"], Architectures: i["architectures"], MemorySize: i["memorySize"], Timeout: i["timeout"],
        Code: { S3Bucket: "the-package", S3Key: "handler.zip" }, Environment: { Variables: i["environment"].variables },
        ...(i["reservedConcurrentExecutions"] ? { ReservedConcurrentExecutions: i["reservedConcurrentExecutions"] } : {}),
        ...(i["kmsKeyArn"] ? { KmsKeyArn: i["kmsKeyArn"] } : {}),
        LoggingConfig: { LogFormat: i["loggingConfig"].logFormat, SystemLogLevel: i["loggingConfig"].systemLogLevel, LogGroup: i["loggingConfig"].logGroup } };
}

function stage({ inputs: i }: Made): Properties {
    const { throttlingRateLimit, throttlingBurstLimit } = i["defaultRouteSettings"];
    return { ApiId: i["apiId"], StageName: i["name"], AutoDeploy: i["autoDeploy"],
        DefaultRouteSettings: { ThrottlingRateLimit: throttlingRateLimit, ThrottlingBurstLimit: throttlingBurstLimit },
        ...(i["accessLogSettings"] ? { AccessLogSettings: { DestinationArn: i["accessLogSettings"].destinationArn, Format: i["accessLogSettings"].format } } : {}) };
}

function mapping({ inputs: i }: Made): Properties {
    return { EventSourceArn: i["eventSourceArn"], FunctionName: i["functionName"], StartingPosition: i["startingPosition"], BatchSize: i["batchSize"],
        MaximumBatchingWindowInSeconds: i["maximumBatchingWindowInSeconds"], BisectBatchOnFunctionError: i["bisectBatchOnFunctionError"],
        MaximumRetryAttempts: i["maximumRetryAttempts"], MaximumRecordAgeInSeconds: i["maximumRecordAgeInSeconds"],
        FunctionResponseTypes: i["functionResponseTypes"],
        FilterCriteria: { Filters: i["filterCriteria"].filters.map(({ pattern }: Inputs) => ({ Pattern: pattern })) },
        DestinationConfig: { OnFailure: { Destination: i["destinationConfig"].onFailure.destinationArn } } };
}

const TYPES: Record<string, [type: string, write: (made: Made, world: World) => Properties]> = {
    "aws:iam/role:Role": ["AWS::IAM::Role", role],
    "aws:dynamodb/table:Table": ["AWS::DynamoDB::Table", table],
    "aws:lambda/function:Function": ["AWS::Lambda::Function", fn],
    "aws:lambda/permission:Permission": ["AWS::Lambda::Permission", ({ inputs: i }) =>
        ({ Action: i["action"], FunctionName: i["function"], Principal: i["principal"], SourceArn: i["sourceArn"] })],
    "aws:lambda/eventSourceMapping:EventSourceMapping": ["AWS::Lambda::EventSourceMapping", mapping],
    "aws:apigatewayv2/api:Api": ["AWS::ApiGatewayV2::Api", ({ inputs: i }) => ({ Name: i["name"], ProtocolType: i["protocolType"],
        ...(i["routeSelectionExpression"] ? { RouteSelectionExpression: i["routeSelectionExpression"] } : {}) })],
    "aws:apigatewayv2/stage:Stage": ["AWS::ApiGatewayV2::Stage", stage],
    "aws:apigatewayv2/integration:Integration": ["AWS::ApiGatewayV2::Integration", ({ inputs: i }) => ({ ApiId: i["apiId"],
        IntegrationType: i["integrationType"], IntegrationMethod: i["integrationMethod"], IntegrationUri: i["integrationUri"],
        TimeoutInMillis: i["timeoutMilliseconds"], ...(i["payloadFormatVersion"] ? { PayloadFormatVersion: i["payloadFormatVersion"] } : {}) })],
    "aws:apigatewayv2/route:Route": ["AWS::ApiGatewayV2::Route", ({ inputs: i }) =>
        ({ ApiId: i["apiId"], RouteKey: i["routeKey"], AuthorizationType: i["authorizationType"], Target: i["target"] })],
    "aws:cloudwatch/logGroup:LogGroup": ["AWS::Logs::LogGroup", ({ inputs: i }) => ({ LogGroupName: i["name"], RetentionInDays: i["retentionInDays"] })],
    "aws:cloudwatch/eventBus:EventBus": ["AWS::Events::EventBus", ({ inputs: i }) => ({ Name: i["name"] })],
    "aws:cloudwatch/eventRule:EventRule": ["AWS::Events::Rule", ({ inputs: i }) =>
        ({ Name: i["name"], Description: i["description"], ScheduleExpression: i["scheduleExpression"] })],
    "aws:sqs/queue:Queue": ["AWS::SQS::Queue", ({ inputs: i }) =>
        ({ QueueName: i["name"], MessageRetentionPeriod: i["messageRetentionSeconds"], SqsManagedSseEnabled: i["sqsManagedSseEnabled"] })],
    "aws:sns/topic:Topic": ["AWS::SNS::Topic", ({ inputs: i }) => ({ TopicName: i["name"] })],
    "aws:ssm/parameter:Parameter": ["AWS::SSM::Parameter", ({ inputs: i }) => ({ Name: i["name"], Type: "String", Value: "(a SecureString)" })],
};

export function templateOf(world: World): { AWSTemplateFormatVersion: string; Resources: Record<string, Resource> } {
    const resources = world.resources.flatMap((made): [string, Resource][] => {
        const [Type, write] = TYPES[made.type] ?? [];
        if (!Type || !write) return [];
        const name = made.name.replace(/(^|[^A-Za-z0-9])(.)/g, (_all, _gap, letter: string) => letter.toUpperCase());
        return [[name, { Type, Properties: write(made, world) }]];
    });
    return { AWSTemplateFormatVersion: "2010-09-09", Resources: Object.fromEntries(resources) };
}
