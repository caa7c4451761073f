package configmap

import "time"

// SetRestoreTimeout bounds the time to read the last good content.
func (c *ConfigMap) SetRestoreTimeout(timeout time.Duration) { c.restoreTimeout = timeout }
