data "aws_availability_zones" "available" {
  state = "available"
}

data "aws_vpc" "default" {
  default = true
}

data "aws_subnets" "default" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default.id]
  }
}

resource "aws_vpc" "eks" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = var.change }
}

resource "aws_subnet" "eks" {
  count                   = 2
  vpc_id                  = aws_vpc.eks.id
  cidr_block              = cidrsubnet(aws_vpc.eks.cidr_block, 8, count.index)
  availability_zone       = data.aws_availability_zones.available.names[count.index]
  map_public_ip_on_launch = true
  tags                    = { Name = var.change, "kubernetes.io/role/elb" = "1" }
}

resource "aws_internet_gateway" "eks" {
  vpc_id = aws_vpc.eks.id
}

resource "aws_route_table" "eks" {
  vpc_id = aws_vpc.eks.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.eks.id
  }
}

resource "aws_route_table_association" "eks" {
  count          = 2
  subnet_id      = aws_subnet.eks[count.index].id
  route_table_id = aws_route_table.eks.id
}

resource "aws_eip" "nat" {
  domain = "vpc"
  tags   = { Name = var.change }
}

resource "aws_nat_gateway" "eks" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.eks[0].id
  tags          = { Name = var.change }
  depends_on    = [aws_internet_gateway.eks]
}

resource "aws_subnet" "private" {
  vpc_id            = aws_vpc.eks.id
  cidr_block        = cidrsubnet(aws_vpc.eks.cidr_block, 8, 10)
  availability_zone = data.aws_availability_zones.available.names[0]
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.eks.id
  tags   = { Name = var.change }
}

resource "aws_route" "private" {
  route_table_id         = aws_route_table.private.id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.eks.id
}

resource "aws_route_table_association" "private" {
  subnet_id      = aws_subnet.private.id
  route_table_id = aws_route_table.private.id
}

resource "aws_security_group" "nodes" {
  name   = "nodes"
  vpc_id = aws_vpc.eks.id
  tags   = { Name = var.change }
  ingress {
    from_port   = 443
    to_port     = var.change == "before" ? 443 : 8443
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/16"]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_launch_template" "nodes" {
  name                   = "nodes"
  instance_type          = "t3.medium"
  image_id               = data.aws_ami.nodes.id
  user_data              = base64encode("#!/bin/sh")
  vpc_security_group_ids = [aws_security_group.nodes.id]
  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_size = 30
      encrypted   = true
    }
  }
  tag_specifications {
    resource_type = "instance"
    tags          = { Name = var.change }
  }
  description = var.change
  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 2
  }
}

resource "aws_vpc_security_group_ingress_rule" "nodes" {
  security_group_id            = aws_security_group.control.id
  referenced_security_group_id = aws_security_group.nodes.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  description                  = var.change
}

resource "aws_security_group" "control" {
  name   = "control"
  vpc_id = aws_vpc.eks.id
}

resource "aws_ebs_volume" "data" {
  availability_zone = data.aws_availability_zones.available.names[0]
  size              = var.change == "before" ? 10 : 20
  type              = "gp3"
}

resource "aws_key_pair" "nodes" {
  key_name   = "nodes"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJmhjKmwiM5Qnl5uzSmn9ER28VNuZVTlNiFgvUOVnyZs nodes"
  tags       = { Name = var.change }
}

data "aws_ami" "nodes" {
  owners      = ["amazon"]
  most_recent = true
  filter {
    name   = "name"
    values = ["amazon-eks-node-al2023-x86_64-standard-1.34-*"]
  }
}

output "imports" {
  value = {
    "aws_vpc.eks"                               = aws_vpc.eks.id
    "aws_subnet.eks[0]"                         = aws_subnet.eks[0].id
    "aws_internet_gateway.eks"                  = aws_internet_gateway.eks.id
    "aws_security_group.nodes"                  = aws_security_group.nodes.id
    "aws_route_table.eks"                       = aws_route_table.eks.id
    "aws_eip.nat"                               = aws_eip.nat.id
    "aws_nat_gateway.eks"                       = aws_nat_gateway.eks.id
    "aws_route.private"                         = "${aws_route_table.private.id}_0.0.0.0/0"
    "aws_route_table_association.private"       = "${aws_subnet.private.id}/${aws_route_table.private.id}"
    "aws_launch_template.nodes"                 = aws_launch_template.nodes.id
    "aws_ebs_volume.data"                       = aws_ebs_volume.data.id
    "aws_vpc_security_group_ingress_rule.nodes" = aws_vpc_security_group_ingress_rule.nodes.id
  }
}
