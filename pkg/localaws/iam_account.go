package localaws

// accountOperations are about the account as a whole.
func accountOperations() map[string]operation {
	return map[string]operation{}
}
