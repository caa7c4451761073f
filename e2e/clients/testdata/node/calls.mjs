// Makes the test's calls with the AWS SDK for JavaScript v3:
//
//	calls.mjs USER [ENDPOINT]      the calls of TestClients
//	calls.mjs --calls [ENDPOINT]   the calls in standard input, as JSON; prints their results as JSON
//	calls.mjs --fetch URL          fetch and https without the SDK; prints their statuses
import dns from "node:dns";
import https from "node:https";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

// A client that ignores the proxy must not reach the real AWS from a test.
dns.lookup = (host, options, callback) => {
  const done = callback ?? options;
  if (host !== "localhost") console.error(`called ${host}`);
  setImmediate(done, Object.assign(new Error(`lookup of ${host} is blocked`), { code: "ENOTFOUND" }));
};

const [first, second] = process.argv.slice(2);

// client imports the package of a service and creates its client.
async function client(service, endpoint) {
  const sdk = await import(`@aws-sdk/client-${service}`);
  const Client = sdk[Object.keys(sdk).find((name) => name.toLowerCase() === `${service}client`)];
  return { sdk, client: new Client(endpoint ? { endpoint } : {}) };
}

// call makes one call, and returns its output or the code of its error.
async function call({ service, operation, input }, endpoint) {
  const { sdk, client: c } = await client(service, endpoint);
  const Command = sdk[`${operation}Command`];
  if (!Command) return { unsupported: true };
  try {
    return { output: await c.send(new Command(input)) };
  } catch (error) {
    if (!error.$metadata?.httpStatusCode) throw error;
    return { error: error.name, message: error.message };
  }
}

if (first === "--version") {
  const require = createRequire(import.meta.url);
  console.log(`aws-sdk-js/${require("@aws-sdk/client-sts/package.json").version}`);
} else if (first === "--fetch") {
  console.log("fetch", await fetch(second).then((r) => r.status, (error) => error.cause?.code));
  const status = new Promise((resolve) => https.get(second, (r) => resolve(r.resume().statusCode)).on("error", (error) => resolve(error.code)));
  console.log("https", await status);
} else if (first === "--calls") {
  const results = [];
  for (const made of JSON.parse(await text(process.stdin))) results.push(await call(made, second));
  console.log(JSON.stringify(results));
} else {
  for (const [service, operation, input] of [
    ["sts", "GetCallerIdentity", {}], ["iam", "CreateUser", { UserName: first }], ["eks", "ListClusters", {}], ["ec2", "DescribeInstances", {}],
  ]) {
    const { output, error, message } = await call({ service, operation, input }, second);
    if (error) throw new Error(`${operation}: ${error}: ${message}`);
    console.log(JSON.stringify(output));
  }
}
