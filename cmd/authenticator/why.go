package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/decisions"
	"github.com/kube-iam/authenticator/internal/decisions/pods"
	"github.com/kube-iam/authenticator/internal/encode"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/shell"
	"github.com/kube-iam/authenticator/internal/unixsocket"
)

func newWhy(p *program) *cobra.Command {
	var o whyOptions
	command := &cobra.Command{
		Use:   "why [ID]",
		Short: "Show why somebody could not sign in: the last denials of the server",
		Long: `Show the server's last denied and undecided sign-ins, and why. ID is the ID of a
denial: the server's log has it, and so has the log of the kube-apiserver, unless the
token is malformed or expired. The server keeps its decisions in memory, and loses them
when it stops.

On a control-plane node it asks the running server, through its socket in --state-dir.
If the server has several clusters, the command shows the decisions of all of them, or
of the one that --cluster-id names. Elsewhere, or with --context, --kubeconfig,
--namespace or --selector, it asks the server in each of the cluster's authenticator
pods, with kubectl exec.

Exit codes: 0 found; 1 nothing found, or no server could be asked; 2 invalid flags or
arguments.`,
		Example: `  authenticator why
  authenticator why K3QF7M2A
  authenticator why --arn arn:aws:iam::111122223333:user/bob --context my-cluster
  authenticator why --cluster-id blue --output wide
  authenticator why --watch`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range []string{"kubeconfig", "context", "namespace", "selector"} {
				o.askPods = o.askPods || cmd.Flags().Changed(name)
			}
			if len(args) > 0 {
				o.id = args[0]
			}
			return o.run(cmd.Context(), p)
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.arn, "arn", "", "only decisions about this user, role or session")
	flags.BoolVar(&o.last, "last", false, "only the last decision")
	flags.BoolVarP(&o.watch, "watch", "w", false, "also print new denials as they happen, until interrupted")
	flags.BoolVar(&o.untilStdinEnds, "until-stdin-ends", false, "end a watch with the standard input")
	_ = flags.MarkHidden("until-stdin-ends") // for the watch of a pod
	flags.StringVar(&o.stateDir, "state-dir", settings.DefaultStateDir, "directory of the running server's socket, also in a pod")
	o.cluster.addFlags(flags)
	flags.StringVarP(&o.namespace, "namespace", "n", "kube-system", "namespace of the authenticator's pods")
	flags.StringVar(&o.selector, "selector", "", "labels of the authenticator's pods (default: "+strings.Join(podLabels(), ", else ")+")")
	o.output.AddFlag(command, cli.Table, cli.Wide, cli.JSON, cli.YAML)
	return command
}

type whyOptions struct {
	id, arn     string
	last, watch bool
	// untilStdinEnds ends a watch in a pod when kubectl exec ends elsewhere.
	untilStdinEnds bool
	stateDir       string
	// askPods is set if a flag names the pods.
	askPods             bool
	cluster             clusterFlags
	namespace, selector string
	output              cli.Output
}

// denials returns the outcomes that sign nobody in.
func denials() (outcomes []authn.Outcome) {
	for _, outcome := range authn.Outcomes() {
		if outcome.Verdict() != authn.Yes {
			outcomes = append(outcomes, outcome)
		}
	}
	return outcomes
}

func (o *whyOptions) query(p *program) decisions.Query {
	q := decisions.Query{ID: o.id, ARN: o.arn, Cluster: p.ClusterID, Outcomes: denials(), Limit: decisions.DefaultLimit}
	if o.last {
		q.Limit = 1
	}
	return q
}

func (o *whyOptions) check() error {
	switch {
	case o.id != "" && (o.arn != "" || o.last || o.watch):
		return cli.Usagef("--arn, --last and --watch are not for one ID")
	case o.watch && o.last:
		return cli.Usagef("--watch and --last cannot be combined")
	}
	return nil
}

func (o *whyOptions) run(ctx context.Context, p *program) error {
	if err := o.check(); err != nil {
		return err
	}
	server := decisions.Client{HTTP: unixsocket.NewClient(settings.SocketPath(o.stateDir)), URL: unixsocket.URL}
	if o.watch {
		return o.follow(ctx, p, server)
	}
	found, err := o.find(ctx, p, server)
	if err != nil {
		return err
	}
	if err := o.print(p, found); err != nil {
		return err
	}
	if len(found) == 0 {
		return o.nothing(p.ClusterID)
	}
	return nil
}

// find asks the server on this machine, or those in pods.
func (o *whyOptions) find(ctx context.Context, p *program, server decisions.Client) ([]decisions.Entry, error) {
	if !o.askPods {
		found, err := server.Find(ctx, o.query(p))
		if !errors.Is(err, unixsocket.ErrNoServer) {
			return found, err
		}
		o.sayPods(p)
	}
	return o.pods(p).Find(ctx, o.query(p))
}

// denyFile is the source in the rule of a decision that the server's deny file made.
const denyFile = "deny file"

// podLabels returns the labels of the pods in our manifests and in those of
// aws-iam-authenticator, which may run our image.
func podLabels() []string {
	return []string{"app.kubernetes.io/name=authenticator", "k8s-app=aws-iam-authenticator"}
}

func (o *whyOptions) pods(p *program) *pods.Pods {
	selectors := podLabels()
	if o.selector != "" {
		selectors = []string{o.selector}
	}
	return &pods.Pods{
		Kubeconfig: o.cluster.kubectl.Kubeconfig, Context: o.cluster.kubectl.Context, Namespace: o.namespace, Selectors: selectors,
		StateDir: o.stateDir, Timeout: o.cluster.kubectl.Timeout, Err: p.err,
	}
}

// sayPods says why the pods are asked.
func (o *whyOptions) sayPods(p *program) {
	fmt.Fprintf(p.err, "authenticator: no server answers at %s: asking the authenticator's pods in the cluster\n", settings.SocketPath(o.stateDir))
}

func (o *whyOptions) nothing(cluster string) error {
	switch {
	case o.id != "":
		return fmt.Errorf("no decision has the ID %q: the server keeps only the last ones, and none after a restart (its log has the others)", o.id)
	case cluster != "" && o.arn == "":
		return fmt.Errorf("the server has not denied anybody for cluster %q since it started", cluster)
	case o.arn != "":
		return fmt.Errorf("no decision was about %q: either it signed in, or its token never reached the server (authenticator explain --arn says what the server would decide)", o.arn)
	}
	return errors.New("the server has not denied anybody since it started")
}

// follow prints new denials as they happen, of the server on this machine or of those in pods.
func (o *whyOptions) follow(ctx context.Context, p *program, server decisions.Client) error {
	if !o.askPods {
		err := o.followHere(ctx, p, server)
		if !errors.Is(err, unixsocket.ErrNoServer) {
			return err
		}
		o.sayPods(p)
	}
	return o.pods(p).Watch(ctx, o.query(p), func(e decisions.Entry) error { return o.printLine(p, e) })
}

func (o *whyOptions) followHere(ctx context.Context, p *program, server decisions.Client) error {
	if o.untilStdinEnds {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go func() { // ends with the input, or with the process
			_, _ = io.Copy(io.Discard, p.in)
			cancel()
		}()
	}
	return server.Watch(ctx, o.query(p), func(e decisions.Entry, lost int) error {
		if lost > 0 {
			fmt.Fprintf(p.err, "authenticator: %d decisions were lost, since they came too fast\n", lost)
		}
		return o.printLine(p, e)
	})
}

func (o *whyOptions) print(p *program, found []decisions.Entry) error {
	if format := o.output.String(); format == cli.JSON || format == cli.YAML {
		return o.output.Print(p.out, append([]decisions.Entry{}, found...), nil)
	}
	if o.id != "" || o.last {
		for _, e := range found {
			if _, err := fmt.Fprint(p.out, o.whyText(p, e)); err != nil {
				return fmt.Errorf("printing: %w", err)
			}
		}
		return nil
	}
	if len(found) == 0 {
		return nil
	}
	return o.output.Print(p.out, nil, func(wide bool) cli.Rows {
		header := "TIME ID OUTCOME WHO WHY"
		if wide {
			header = "TIME ID CLUSTER OUTCOME WHO WHY"
		}
		rows := cli.Rows{Header: strings.Split(header, " ")}
		for _, e := range found {
			rows.Add(whyCells(e, wide)...)
		}
		return rows
	})
}

// maxWhy is how many characters of a reason are in a table that is not wide.
const maxWhy = 80

// whyCells returns the row of a decision.
func whyCells(e decisions.Entry, wide bool) []any {
	why := []rune(whySentence(e))
	if !wide && len(why) > maxWhy {
		why = append(why[:maxWhy-1], '…')
	}
	cells := []any{e.Time.UTC().Format(time.RFC3339), cmp.Or(e.ID, "-")}
	if wide {
		cells = append(cells, e.Cluster)
	}
	return append(cells, e.Outcome, whoIsIt(e), string(why))
}

// printLine prints a decision that came during a watch.
func (o *whyOptions) printLine(p *program, e decisions.Entry) (err error) {
	var text []byte
	switch o.output.String() {
	case cli.JSON:
		text, err = encode.JSONLine(e)
	case cli.YAML:
		text, err = encode.YAML(e)
		text = append([]byte("---\n"), text...)
	default:
		line := strings.TrimSuffix(fmt.Sprintln(whyCells(e, o.output.String() == cli.Wide)...), "\n")
		text = fmt.Appendln(nil, cli.Printable(line))
	}
	if err == nil {
		_, err = p.out.Write(text)
	}
	if err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// whoIsIt returns whom a decision is about.
func whoIsIt(e decisions.Entry) string {
	switch {
	case e.CanonicalARN != "":
		return cmp.Or(e.ARN, e.CanonicalARN)
	case e.Unverified != nil && e.Unverified.AccessKeyID != "":
		return "access key " + e.Unverified.AccessKeyID + " (not verified)"
	default:
		return "unknown"
	}
}

// whySentence returns the reason of a decision in plain words.
func whySentence(e decisions.Entry) string {
	switch {
	case e.Outcome == authn.Unmapped:
		return "no mapping matches"
	case e.Clocks != nil:
		return e.Clocks.String()
	case e.Outcome == authn.Refused && strings.Contains(e.Error, "SignatureDoesNotMatch"):
		return "STS refused the signature: the token was made for another cluster ID, or with a wrong secret access key"
	}
	return e.Error
}

// whyText returns all about a decision, for people.
func (o *whyOptions) whyText(p *program, e decisions.Entry) string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, cli.Printable(text))
		}
	}
	row("DECISION", e.ID)
	row("TIME", e.Time.UTC().Format(time.RFC3339))
	row("CLUSTER ID", e.Cluster)
	row("OUTCOME", string(e.Outcome))
	if c := e.Unverified; c != nil {
		row("CLAIMS", strings.TrimPrefix(fmt.Sprintf("access key %s, region %s, host %s (not verified)", cmp.Or(c.AccessKeyID, "hidden"), cmp.Or(c.Region, "none"), c.Host), " "))
	}
	row("AWS IDENTITY", e.ARN)
	row("ACCESS KEY", e.AccessKeyID)
	if e.Rule.Source != "" {
		row("MAPPING", strings.Join(strings.Fields(e.Rule.Source+" "+e.Rule.Section+lineText(e.Rule.Line)), " "))
	}
	row("WHY", whySentence(e))
	_ = table.Flush() // a strings.Builder never fails
	sentence, command := o.whyNext(e)
	fmt.Fprintf(&b, "\n%s\n", cli.Printable(sentence))
	if command != "" {
		fmt.Fprintf(&b, "  %s\n", cli.Printable(p.typed(command)))
	}
	return b.String()
}

func lineText(line int) string {
	if line == 0 {
		return ""
	}
	return " line " + strconv.Itoa(line)
}

// whyNext returns what to do about a decision, and the command for it; the latter is empty
// if there is none.
func (o *whyOptions) whyNext(e decisions.Entry) (sentence, command string) {
	if e.Clocks != nil {
		if sentence, command = e.Clocks.Remedy(); command != "" {
			return sentence, command
		}
	}
	newToken := "authenticator token --cluster-id " + shell.Quote(e.Cluster) + " --token-only | " + o.explain(e, "--token", "-")
	arn := cmp.Or(e.ARN, e.CanonicalARN)
	switch {
	case e.Outcome == authn.Denied && e.Rule.Source == denyFile:
		// The deny file may have the access key or the unique ID, which the ARN does not tell.
		return fmt.Sprintf("It is in line %d of the server's %s (--deny-file). Remove the line only if it may sign in again.", e.Rule.Line, e.Rule.Source), ""
	case e.Outcome == authn.MappingUnknown && arn != "":
		return "Find out whether the server can decide now, and what is missing:", o.explain(e, "--arn", arn)
	case arn != "":
		return "Find the mapping that nearly matches, or the rule that denies:", o.explain(e, "--arn", arn)
	case e.Outcome == authn.Unreachable:
		host := "sts.amazonaws.com"
		if e.Unverified != nil {
			host = cmp.Or(e.Unverified.Host, host)
		}
		return "The server could not reach STS. Check the network from its machine:", "curl --head " + shell.Quote("https://"+host)
	case e.Outcome == authn.Throttled || e.Outcome == authn.Saturated:
		return "Try again in a few seconds, with a new token:", newToken
	default:
		return "Ask for a new token, and check it:", newToken
	}
}

// explain returns the command that explains a decision with the mappings of the server
// that made it.
func (o *whyOptions) explain(e decisions.Entry, about ...string) string {
	command := append([]string{"authenticator", "explain", "--cluster-id", e.Cluster}, about...)
	if o.askPods {
		command = append(command, o.cluster.kubectl.Flags()...)
	} else if o.stateDir != settings.DefaultStateDir {
		command = append(command, "--state-dir", o.stateDir)
	}
	return shell.Join(command...)
}
