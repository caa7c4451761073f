data "aws_availability_zones" "available" {
  state = "available"
}

resource "aws_vpc" "eks" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "eks" {
  count             = 2
  vpc_id            = aws_vpc.eks.id
  cidr_block        = cidrsubnet(aws_vpc.eks.cidr_block, 8, count.index)
  availability_zone = data.aws_availability_zones.available.names[count.index]
}

resource "aws_iam_role" "eks" {
  for_each = { cluster = "eks.amazonaws.com", node = "ec2.amazonaws.com", pod = "pods.eks.amazonaws.com", fargate = "eks-fargate-pods.amazonaws.com" }
  name     = "eks-${each.key}"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = ["sts:AssumeRole", "sts:TagSession"], Principal = { Service = each.value } }]
  })
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.eks["cluster"].name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each   = toset(["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"])
  role       = aws_iam_role.eks["node"].name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

# An import assumes the two bootstrap arguments as they are here.
resource "aws_eks_cluster" "terraform" {
  name                          = "terraform"
  role_arn                      = aws_iam_role.eks["cluster"].arn
  bootstrap_self_managed_addons = false
  access_config {
    authentication_mode                         = "API_AND_CONFIG_MAP"
    bootstrap_cluster_creator_admin_permissions = true
  }
  vpc_config {
    subnet_ids              = aws_subnet.eks[*].id
    endpoint_private_access = true
    public_access_cidrs     = var.change == "before" ? ["0.0.0.0/0"] : ["192.0.2.0/24"]
  }
  tags       = { owner = var.change }
  depends_on = [aws_iam_role_policy_attachment.cluster]
}

resource "aws_eks_node_group" "workers" {
  cluster_name    = aws_eks_cluster.terraform.name
  node_group_name = "workers"
  node_role_arn   = aws_iam_role.eks["node"].arn
  subnet_ids      = aws_subnet.eks[*].id
  instance_types  = ["t3.medium"]
  labels          = { role = var.change }
  tags            = { owner = var.change }
  scaling_config {
    desired_size = 1
    min_size     = 1
    max_size     = var.change == "before" ? 2 : 3
  }
  update_config {
    max_unavailable = 1
  }
  taint {
    key    = "dedicated"
    value  = "workers"
    effect = "NO_SCHEDULE"
  }
  depends_on = [aws_iam_role_policy_attachment.node]
}

data "aws_eks_addon_version" "vpc_cni" {
  addon_name         = "vpc-cni"
  kubernetes_version = aws_eks_cluster.terraform.version
  most_recent        = true
}

resource "aws_eks_addon" "vpc_cni" {
  cluster_name         = aws_eks_cluster.terraform.name
  addon_name           = "vpc-cni"
  addon_version        = data.aws_eks_addon_version.vpc_cni.version
  configuration_values = jsonencode({ env = { ENABLE_PREFIX_DELEGATION = var.change == "before" ? "true" : "false" } })
  tags                 = { owner = var.change }
}

resource "aws_eks_pod_identity_association" "app" {
  cluster_name    = aws_eks_cluster.terraform.name
  namespace       = "default"
  service_account = "app"
  role_arn        = aws_iam_role.eks["pod"].arn
  tags            = { owner = var.change }
}

resource "aws_eks_fargate_profile" "batch" {
  cluster_name           = aws_eks_cluster.terraform.name
  fargate_profile_name   = "batch"
  pod_execution_role_arn = aws_iam_role.eks["fargate"].arn
  subnet_ids             = aws_subnet.eks[*].id
  tags                   = { owner = var.change }
  selector {
    namespace = "batch"
  }
}

data "aws_ssm_parameter" "image" {
  name = "/aws/service/eks/optimized-ami/${aws_eks_cluster.terraform.version}/amazon-linux-2023/x86_64/standard/recommended/image_id"
}

resource "aws_iam_user" "dev" {
  name = "dev"
}

resource "aws_eks_access_entry" "dev" {
  cluster_name      = aws_eks_cluster.terraform.name
  principal_arn     = aws_iam_user.dev.arn
  kubernetes_groups = [var.change]
}

resource "aws_eks_access_policy_association" "dev" {
  cluster_name  = aws_eks_cluster.terraform.name
  principal_arn = aws_eks_access_entry.dev.principal_arn
  policy_arn    = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
  access_scope {
    type       = "namespace"
    namespaces = ["default"]
  }
}

output "issuer" {
  value = aws_eks_cluster.terraform.identity[0].oidc[0].issuer
}

output "image" {
  value     = data.aws_ssm_parameter.image.value
  sensitive = true
}

output "imports" {
  value = {
    "aws_eks_cluster.terraform"            = aws_eks_cluster.terraform.id
    "aws_eks_node_group.workers"           = aws_eks_node_group.workers.id
    "aws_eks_fargate_profile.batch"        = aws_eks_fargate_profile.batch.id
    "aws_eks_addon.vpc_cni"                = aws_eks_addon.vpc_cni.id
    "aws_eks_access_entry.dev"             = aws_eks_access_entry.dev.id
    "aws_eks_pod_identity_association.app" = "${aws_eks_cluster.terraform.name},${aws_eks_pod_identity_association.app.association_id}"
  }
}
