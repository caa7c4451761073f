package configmap

import "time"

// SetRestoreTimeout bounds the time to read the last good content.
func (c *ConfigMap) SetRestoreTimeout(timeout time.Duration) { c.restoreTimeout = timeout }

// SetRetryDelay sets the time until it is read again.
func (c *ConfigMap) SetRetryDelay(delay time.Duration) { c.retryDelay = delay }
