package localaws

import (
	"errors"
	"net/http"
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/service/sts"
)

// serveIssuer answers what the issuer of an account's tokens publishes, and reports
// whether the request was to one.
func (a *AWS) serveIssuer(w http.ResponseWriter, r *http.Request) bool {
	host := strings.TrimSuffix(strings.ToLower(r.Host), ":443")
	if !strings.HasSuffix(host, account.TokenIssuerSuffix) {
		return false
	}
	if r.Method != http.MethodGet {
		refuse(w, http.StatusMethodNotAllowed, "an issuer serves GET only")
		return true
	}
	for _, one := range a.accounts.All() {
		document, found, err := discover(one, host, r.URL.Path)
		switch {
		case err != nil:
			a.log.Error("serving an issuer failed", "error", err)
			refuse(w, http.StatusInternalServerError, "the log of localaws says why")
			return true
		case found:
			reply(w, http.StatusOK, document)
			return true
		}
	}
	refuse(w, http.StatusNotFound, "localaws has no such issuer, or it serves nothing at this path")
	return true
}

// discover returns what an account's issuer publishes at a path, if it has this host. Keys
// that do not exist yet take long to make, so no transaction runs meanwhile.
func discover(one *account.Account, host, path string) (document any, found bool, err error) {
	made := map[string][]byte{}
	for {
		change, err := one.Do(account.Call{}, func(tx *account.Tx) (err error) {
			if issuer, _ := tx.Identities().TokenIssuer(); issuer == "https://"+host {
				document, found, err = sts.Discover(tx, path, made)
			}
			return err
		})
		if err == nil {
			return document, found, one.Save(change)
		}
		work, ok := errors.AsType[*api.Work](err)
		if !ok {
			return nil, false, err
		}
		if err := work.Do(); err != nil {
			return nil, false, err
		}
	}
}
