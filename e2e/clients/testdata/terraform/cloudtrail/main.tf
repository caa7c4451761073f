resource "aws_cloudtrail" "audit" {
  name                          = "audit"
  s3_bucket_name                = "audit-logs"
  s3_key_prefix                 = var.change
  include_global_service_events = true
  is_multi_region_trail         = var.change == "after"
  tags                          = { owner = var.change }
  # The provider does not read back the selector that every trail has by default.
  event_selector {
    read_write_type           = var.change == "before" ? "ReadOnly" : "WriteOnly"
    include_management_events = true
  }
}

output "imports" {
  value = { "aws_cloudtrail.audit" = aws_cloudtrail.audit.arn }
}
