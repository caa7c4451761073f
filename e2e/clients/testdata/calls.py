"""Makes the test's calls by boto3:

calls.py USER [ENDPOINT]      the calls of TestClients
calls.py --calls [ENDPOINT]   the calls in standard input, as JSON; prints their results as JSON
"""
import json
import sys

import boto3
from botocore.exceptions import ClientError, ParamValidationError
from botocore import xform_name

if sys.argv[1] == "--version":
    sys.exit(print("boto3/" + boto3.__version__))
user, endpoint = sys.argv[1], (sys.argv[2] if len(sys.argv) > 2 else None)


def client(service):
    return boto3.client(service, endpoint_url=endpoint)


def call(made):
    method = getattr(client(made["service"]), xform_name(made["operation"]), None)
    if method is None:
        return {"unsupported": True}
    try:
        return {"output": method(**made["input"])}
    except ClientError as error:
        return {"error": error.response["Error"]["Code"], "message": error.response["Error"]["Message"]}
    except ParamValidationError as error:
        if "Unknown parameter" in str(error):
            return {"unsupported": True}
        raise


if user == "--calls":
    sys.exit(print(json.dumps([call(made) for made in json.load(sys.stdin)], default=str)))
print(client("sts").get_caller_identity()["Arn"])
print(client("iam").create_user(UserName=user)["User"]["Arn"])
print(client("eks").list_clusters()["clusters"])
print(client("ec2").describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"])
