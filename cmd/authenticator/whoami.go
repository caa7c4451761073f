package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/shell"
)

func newWhoami(p *program) *cobra.Command {
	o := whoamiOptions{}
	o.subject.asMe = true
	command := &cobra.Command{
		Use:   "whoami",
		Short: "Show who you are to AWS and to the cluster",
		Long: `Show who you are to AWS and to the cluster: the identity of the AWS credentials of this
shell, the mapping that matches it, the Kubernetes user and groups, when the token
expires, and who the API server of the kubeconfig says you are. If you do not sign in,
it says why and what to do.

The exit code is 0 if you sign in, 3 if you do not, 1 if that could not be determined,
and 2 for invalid flags.`,
		Example: `  authenticator whoami --cluster-id my-cluster
  authenticator whoami --cluster-id my-cluster --role arn:aws:iam::111122223333:role/admin -f aws-auth.yaml`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.SetServerValue(cmd.Flags(), "partition"); err != nil {
				return err
			}
			o.BackendModesGiven = cmd.Flags().Changed("backend-mode")
			o.findSocket(cmd.Flags(), p)
			o.asked = askedOf(cmd.Flags())
			return o.run(cmd.Context(), p)
		},
	}
	o.subject.credentialOptions.addFlags(command.Flags())
	o.addFlags(command.Flags())
	o.output.AddFlag(command, cli.Table, cli.JSON, cli.YAML)
	excludeOtherMappings(command)
	return command
}

type whoamiOptions struct{ explainOptions }

// whoami is what whoami prints.
type whoami struct {
	explain.Explanation
	// APIServer is the answer of the API server.
	APIServer apiServerAnswer `json:"apiServer"`
}

// apiServerAnswer is who the API server says that the kubeconfig's user is.
type apiServerAnswer struct {
	Username string   `json:"username,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	// ARN is the AWS identity that the authenticator verified for the API server; empty
	// if the user did not sign in with one.
	ARN string `json:"arn,omitempty"`
	// Error says why the API server did not say who the user is; empty if it did.
	Error string `json:"error,omitempty"`
	// clusterID is the ID with which the user signed in; empty if that is unknown, or if it
	// was not with AWS.
	clusterID string
	// rejected is set if it rejects the user.
	rejected bool
}

func (o *whoamiOptions) run(ctx context.Context, p *program) error {
	question, err := o.subject.question(ctx, p)
	if err != nil {
		return err
	}
	answer := o.askAPIServer(ctx, p)
	o.lenient, o.idChecked = true, answer.clusterID == p.ClusterID
	explanation, err := o.explain(ctx, p, question)
	if err != nil {
		return err
	}
	w := whoami{explanation, answer}
	w.believeAPIServer()
	if o.asksCluster(p) {
		w.believeKubeconfig(p, o.asked)
	}
	if format := o.output.String(); format == cli.Table {
		err = w.print(p.out)
	} else {
		err = o.output.Print(p.out, w, nil)
	}
	if err != nil {
		return err
	}
	return exitOf(w.Explanation)
}

// believeAPIServer takes the word of the API server if the mappings could not be read
// and the API server knows the same AWS identity.
func (w *whoami) believeAPIServer() {
	if w.Result != explain.Undecided || w.Principal == nil || w.APIServer.ARN != w.Principal.ARN {
		return
	}
	w.Result, w.Command = explain.Mapped, ""
	w.User = &explain.User{Username: w.APIServer.Username, Groups: append([]string{}, w.APIServer.Groups...)}
	w.Sentence = fmt.Sprintf("%s signs in as %s, as the API server says.", w.Principal.CanonicalARN, w.APIServer.Username)
}

// asksCluster reports whether the mappings are those of the kubeconfig's cluster.
func (o *whoamiOptions) asksCluster(p *program) bool {
	return !o.useSocket && p.ConfigPath == "" && o.filename == "" && o.AWSAuthFile == "" && o.DynamicFile == ""
}

// believeKubeconfig concludes from the ID with which the user of the kubeconfig signs in
// that another one is wrong.
func (w *whoami) believeKubeconfig(p *program, asked explain.Asked) {
	id := w.APIServer.clusterID
	if w.Result != explain.Mapped || id == "" || id == w.ClusterID {
		return
	}
	w.Result, w.User, w.Rule = explain.NotMapped, nil, nil
	w.Sentence = fmt.Sprintf("You do not sign in with a token for %s: the kubeconfig signs in to this cluster with the ID %s.", w.ClusterID, id)
	words := append([]string{"authenticator", "whoami", "--cluster-id", id}, asked.Flags(asked.Region)...)
	w.Command = p.typed(shell.Join(words...))
}

// askAPIServer asks the API server of the kubeconfig who its user is.
func (o *whoamiOptions) askAPIServer(ctx context.Context, p *program) apiServerAnswer {
	config, err := o.cluster.config(p)
	if err != nil {
		return apiServerAnswer{Error: err.Error()}
	}
	client, err := kube.NewClient(config)
	if err != nil {
		return apiServerAnswer{Error: err.Error()}
	}
	defer cli.Waiting(p.err, "authenticator: waiting for the API server")()
	user, err := kube.Self(ctx, client)
	if err != nil {
		return apiServerAnswer{Error: err.Error(), rejected: apierrors.IsUnauthorized(err)}
	}
	answer := apiServerAnswer{Username: user.Username, Groups: user.Groups, ARN: strings.Join(user.Extra["arn"], "")}
	if answer.ARN != "" && config.ExecProvider != nil {
		answer.clusterID = clusterIDOf(config.ExecProvider.Args)
	}
	return answer
}

// clusterIDOf returns the cluster ID in the arguments of "authenticator token" or "aws eks
// get-token", which another program may run; empty if they have none. The last flag counts,
// as in these commands.
func clusterIDOf(args []string) (id string) {
	command, flags := slices.Index(args, "token"), []string{"--cluster-id", "-i"}
	if eks := slices.Index(args, "eks"); eks >= 0 && slices.Contains(args[eks:], "get-token") {
		command, flags = eks, []string{"--cluster-name", "--cluster-id"}
	}
	if command < 0 {
		return ""
	}
	args = args[command:]
	for i, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !slices.Contains(flags, name) {
			continue
		}
		if !ok && i+1 < len(args) {
			value = args[i+1]
		}
		id = value
	}
	return id
}

// print prints the answer for people.
func (w *whoami) print(out io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, cli.Printable(text))
		}
	}
	row("CLUSTER ID", w.ClusterID)
	if p := w.Principal; p != nil {
		row("AWS IDENTITY", p.ARN)
		row("CANONICAL ARN", p.CanonicalARN)
	}
	if t := w.Token; t != nil && t.Expires != nil {
		row("TOKEN", "access key "+t.AccessKeyID+", expires "+t.Expires.Format(time.RFC3339))
	}
	if w.Rule != nil {
		row("MAPPING", w.Rule.Describe())
	}
	if w.User != nil {
		row("USERNAME", w.User.Username)
		row("GROUPS", explain.GroupsText(w.User.Groups))
	}
	row("API SERVER", w.APIServer.text())
	_ = table.Flush() // the writer is in memory
	fmt.Fprintf(&b, "\n%s\n", cli.Printable(w.Sentence))
	if w.Command != "" {
		fmt.Fprintf(&b, "  %s\n", cli.Printable(w.Command))
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// text describes the answer of the API server.
func (a apiServerAnswer) text() string {
	switch {
	case a.rejected:
		return "rejects the user of the kubeconfig (Unauthorized)"
	case a.Error != "":
		return "no answer: " + a.Error
	}
	return fmt.Sprintf("knows the user of the kubeconfig as %s (%s)", a.Username, explain.GroupsText(a.Groups))
}
