"""Makes the test's calls by boto3: calls.py USER [ENDPOINT]."""
import sys

import boto3

if sys.argv[1] == "--version":
    sys.exit(print("boto3/" + boto3.__version__))
user, endpoint = sys.argv[1], (sys.argv[2] if len(sys.argv) > 2 else None)


def client(service):
    return boto3.client(service, endpoint_url=endpoint)


print(client("sts").get_caller_identity()["Arn"])
print(client("iam").create_user(UserName=user)["User"]["Arn"])
print(client("eks").list_clusters()["clusters"])
print(client("ec2").describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"])
