/** infra/deploy, with Pulumi, npm, aws and the build played by scripts that write down how they were called. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { INFRA, ROOT } from "../src/schema";

const TOOLS = ["bash", "sed", "dirname", "cat", "cmp", "cp", "mv", "rm", "mkdir", "mktemp", "touch", "chmod", "stat", "tail", "env", "zip"];
const KEYS = '{"keys":[{"kty":"oct"}]}';
let folder: string, config: Record<string, string>, stack: string;

function script(name: string, body: string) {
    writeFileSync(join(folder, name), `#!/usr/bin/env bash\necho "${name} $*" >> ${folder}/calls\n${body}\n`);
    chmodSync(join(folder, name), 0o755);
}

/** Only what is named here is on PATH. */
function deploy(args: string[], { without = [] as string[] } = {}) {
    for (const [key, value] of Object.entries(config)) writeFileSync(join(folder, `config-${key}`), value);
    for (const name of without) rmSync(join(folder, name));
    const done = spawnSync(join(INFRA, "deploy"), args, { encoding: "utf8", env: { PATH: folder, TTF_DEV: join(folder, "dev"), HOME: folder } });
    const calls = existsSync(join(folder, "calls")) ? readFileSync(join(folder, "calls"), "utf8").trim().split("\n") : [];
    return { ...done, calls: calls.filter((call) => !call.startsWith("node ") && !call.includes(" config get ")) };
}

beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "deploy-"));
    stack = `test-${folder.slice(-6)}`;
    config = { environment: "dev", awsRegion: "eu-west-1", packageFile: join(folder, "handler.zip") };
    writeFileSync(join(folder, "bootstrap"), "program");
    spawnSync("zip", ["-q", "-j", join(folder, "handler.zip"), join(folder, "bootstrap")]);
    for (const tool of TOOLS) {
        const path = spawnSync("bash", ["-c", `command -v ${tool}`], { encoding: "utf8" }).stdout.trim();
        symlinkSync(path, join(folder, tool));
    }
    script("node", "echo v20.1.0");
    script("npm", "[ $1 != ci ] || mkdir -p node_modules");
    script("dev", "");
    script("aws", 'case $1 in sts) echo 123456789012 ;; esac');
    script("pulumi", `case "$1 $2" in
        "config get") [ -e ${folder}/config-$3 ] && cat ${folder}/config-$3 || exit 1 ;;
        "stack --show-name") echo ${stack} ;;
        "stack output") echo "ttf -e wss://x/dev -p 3000" ;;
        up*) echo "TTF_PACKAGE=$TTF_PACKAGE" >> ${folder}/calls ;;
    esac`);
});
afterEach(() => {
    rmSync(folder, { recursive: true });
    rmSync(join(ROOT, `build/lambda/deploy-${stack}.zip`), { force: true });
});

describe("deploy", () => {
    test("shows account and region, compiles, asks by Pulumi, and says what to do next", () => {
        const { status, stdout, stderr, calls } = deploy(["deploy"]);
        expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
        expect(stdout).toContain(`Stack:   ${stack}\nAccount: 123456789012\nRegion:  eu-west-1\n`);
        expect(stdout).toContain("  ttf -e wss://x/dev -p 3000\n");
        expect(calls).toContain("npm run --silent build");
        expect(calls).toContain(`pulumi up --stack ${stack}`);
        expect(calls).toContain(`TTF_PACKAGE=${folder}/handler.zip`);
        expect(calls.filter((call) => call.startsWith("dev "))).toEqual([]); // packageFile: nothing is built
    });

    describe("with a canary", () => {
        const outputs = `case "$1 $2 $3" in
            "config get "*) [ -e FOLDER/config-$3 ] && cat FOLDER/config-$3 || exit 1 ;;
            "stack output canaryApplication"|"stack output canaryGroup") echo http-tunnel-canary-dev ;;
            "stack output lambdaFunctionVersion") echo 8 ;;
            "stack output lambdaFunctionName") echo http-tunnel-handler-dev ;;
            "stack --show-name "*) echo STACK ;;
        esac`;
        const aws = (current: string, wait: string) => `case "$*" in
            *get-caller-identity*) echo 123456789012 ;; *get-alias*) echo ${current} ;; *create-deployment*) echo d-1 ;; *"deploy wait"*) ${wait} ;; esac`;
        beforeEach(() => script("pulumi", outputs.replaceAll("FOLDER", folder).replaceAll("STACK", stack)));

        test("CodeDeploy shifts the alias to the new version, and is waited for", () => {
            script("aws", aws("7", "true"));
            const { status, stdout, calls } = deploy(["deploy"]);
            expect(status).toBe(0);
            expect(stdout).toContain("Version 8 takes over from 7 (deployment d-1; an alarm puts 7 back)\nVersion 8 serves\n");
            const shift = calls.find((call) => call.includes("create-deployment")) ?? "";
            expect(shift).toContain("--application-name http-tunnel-canary-dev --deployment-group-name http-tunnel-canary-dev");
            const { Resources: [{ function: { Properties } }] } = JSON.parse(/content='(.*)'}/.exec(shift)?.[1] ?? "{}");
            expect(Properties).toEqual({ Name: "http-tunnel-handler-dev", Alias: "live", CurrentVersion: "7", TargetVersion: "8" });
        });

        test("one that is put back is an error, and what serves is said", () => {
            script("aws", aws("7", "exit 255"));
            const { status, stderr } = deploy(["deploy"]);
            expect(status).toBe(1);
            expect(stderr).toMatch(/^dev: version 8 has not taken over: 7 serves. Look at .*--deployment-id d-1/);
        });

        test("nothing is shifted where nothing is new", () => {
            script("aws", aws("8", "exit 255"));
            const { status, stdout, calls } = deploy(["deploy"]);
            expect({ status, shifts: calls.filter((call) => call.includes("create-deployment")) }).toEqual({ status: 0, shifts: [] });
            expect(stdout).toContain("Version 8 serves already");
        });
    });

    test("--yes is handed on, and --stack", () => {
        expect(deploy(["deploy", "--stack", "other", "--yes"]).calls).toContain("pulumi up --stack other --yes");
    });

    test("the package is built for the architecture that is set", () => {
        config = { environment: "dev", awsRegion: "eu-west-1", lambdaArchitecture: "x86_64" };
        script("dev", `mkdir -p ${ROOT}/build/lambda; [ -e ${ROOT}/build/lambda/handler.zip ] || echo > ${ROOT}/build/lambda/handler.zip`);
        const { calls } = deploy(["preview"]);
        expect(calls).toContain("dev package-lambda x86_64");
        expect(calls.at(-1)).toBe(`pulumi preview --stack ${stack}`);
    });

    test("keys of an identity provider go into a package of the stack's own", () => {
        config["jwks"] = KEYS;
        const { calls, stderr } = deploy(["deploy"]);
        expect(stderr).toBe("");
        const made = join(ROOT, `build/lambda/deploy-${stack}.zip`);
        expect(calls).toContain(`TTF_PACKAGE=${made}`);
        const python = "import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); print(z.namelist(), z.read('jwks.json').decode())";
        expect(spawnSync("python3", ["-c", python, made], { encoding: "utf8" }).stdout).toBe(`['bootstrap', 'jwks.json'] ${KEYS}\n`);
    });
});

describe("the others", () => {
    test("destroy", () => expect(deploy(["destroy"]).calls.at(-1)).toBe(`pulumi destroy --stack ${stack}`));
    test("logs", () => expect(deploy(["logs"]).calls.at(-1)).toBe("aws logs tail /http-tunnel/dev/function --follow --region eu-west-1"));
    test("nothing else", () => expect(deploy(["undo"])).toMatchObject({ status: 2, calls: [] }));
});

describe("what is missing is said, with the cure", () => {
    test("Pulumi", () => expect(deploy(["deploy"], { without: ["pulumi"] }).stderr).toMatch(/^dev: Pulumi is missing. Get it[^]*get.pulumi.com/));
    test("Node", () => expect(deploy(["deploy"], { without: ["node"] }).stderr).toMatch(/Node 20 or newer is missing/));
    test("a stack", () => {
        script("pulumi", "exit 1");
        expect(deploy(["deploy"]).stderr).toMatch(/no stack is chosen. The first time: .*pulumi stack init dev/);
    });
    test("credentials", () => {
        script("aws", "exit 255");
        const { status, stderr, calls } = deploy(["deploy"]);
        expect(stderr).toBe("dev: AWS does not know you: aws configure, or aws sso login, or AWS_PROFILE\n");
        expect({ status, calls: calls.filter((call) => call.includes("pulumi up")) }).toEqual({ status: 1, calls: [] });
    });
    test("the package", () => {
        config["packageFile"] = join(dirname(folder), "none.zip");
        expect(deploy(["deploy"]).stderr).toMatch(/packageFile: .*none.zip is not there/);
    });
});
