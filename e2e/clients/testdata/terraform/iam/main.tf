resource "aws_iam_user" "kubedemy" {
  name = "kubedemy"
  path = "/people/"
  tags = { owner = var.change }
}

resource "aws_iam_user_policy" "describe" {
  name = "describe"
  user = aws_iam_user.kubedemy.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = var.change, Effect = "Allow", Action = "eks:DescribeCluster", Resource = "*" }]
  })
}

resource "aws_iam_access_key" "kubedemy" {
  user = aws_iam_user.kubedemy.name
}

resource "aws_iam_policy" "list" {
  name = "list"
  tags = { owner = var.change }
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = var.change, Effect = "Allow", Action = "eks:ListClusters", Resource = "*" }]
  })
}

resource "aws_iam_user_policy_attachment" "list" {
  user       = aws_iam_user.kubedemy.name
  policy_arn = aws_iam_policy.list.arn
}

resource "aws_iam_role" "dev" {
  name                 = "dev"
  path                 = "/team/"
  description          = var.change
  max_session_duration = 7200
  tags                 = { owner = var.change }
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { AWS = aws_iam_user.kubedemy.arn } }]
  })
}

resource "aws_iam_role_policy" "inline" {
  name   = "inline"
  role   = aws_iam_role.dev.name
  policy = aws_iam_policy.list.policy
}

resource "aws_iam_role_policy_attachment" "dev" {
  for_each = {
    list    = aws_iam_policy.list.arn
    managed = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
  }
  role       = aws_iam_role.dev.name
  policy_arn = each.value
}

resource "aws_iam_instance_profile" "node" {
  name = "node"
  role = aws_iam_role.dev.name
}

resource "aws_iam_group" "devs" {
  name = "devs"
}

resource "aws_iam_group_membership" "devs" {
  name  = "devs"
  group = aws_iam_group.devs.name
  users = [aws_iam_user.kubedemy.name]
}

resource "aws_iam_openid_connect_provider" "eks" {
  url             = "https://oidc.eks.eu-west-2.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
  client_id_list  = ["sts.amazonaws.com"]
  thumbprint_list = ["9e99a48a9960b14926bb7f3b02e22da2b0ab7280"]
}

data "aws_caller_identity" "me" {}

output "imports" {
  value = {
    "aws_iam_user.kubedemy"         = aws_iam_user.kubedemy.id
    "aws_iam_user_policy.describe"  = aws_iam_user_policy.describe.id
    "aws_iam_policy.list"           = aws_iam_policy.list.id
    "aws_iam_role.dev"              = aws_iam_role.dev.id
    "aws_iam_role_policy.inline"    = aws_iam_role_policy.inline.id
    "aws_iam_instance_profile.node" = aws_iam_instance_profile.node.id
  }
}
