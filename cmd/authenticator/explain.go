package main

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/access"
	"github.com/kube-iam/authenticator/internal/answer"
	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/place"
	"github.com/kube-iam/authenticator/internal/roots"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/unixsocket"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/presign"
)

// exitNotMapped is the exit code of explain and whoami if the caller does not sign in.
const exitNotMapped = 3

func newExplain(p *program) *cobra.Command {
	var o explainOptions
	command := &cobra.Command{
		Use:   "explain",
		Short: "Explain whether a token or an AWS identity signs in, and why",
		Long: `Explain whether a token or an AWS identity signs in, and why: what the token says, who
STS says it is, which mapping matches or nearly matches, and the command that fixes it.
It decides as the server does, and signs nobody in.

The question is a token (--token), an AWS identity (--arn), or you, with the AWS
credentials of this shell (--as-me).

On a control-plane node, the running server answers with its live mappings, through its
socket in --state-dir. Elsewhere, or with -f or a flag of the server, such as
--cluster-owner-arn or --deny-file, the mappings come from a file (-f), from the server's
configuration (--config), or from the cluster of a kubeconfig (--kubeconfig, --context).
Then give all flags of the server that change its decisions, so that the answer is the
server's.

--can-i VERB RESOURCE and --rights ask what Kubernetes allows the caller. --who VERB
RESOURCE asks which AWS identities may do something; it never asks the running server,
so give it the server's flags. The resource is written as for kubectl: pods,
deployments.apps, pods/NAME or /healthz; a subresource as in a role: pods/log. These
flags ask the cluster of the kubeconfig, also with -f.

The exit code is 0 if the caller is mapped to a Kubernetes user, 3 if it is not, 1 if
that could not be determined or the answer of --can-i is no, and 2 for invalid flags.`,
		Example: `  authenticator explain --arn arn:aws:iam::111122223333:role/admin -f aws-auth.yaml
  authenticator explain --arn arn:aws:sts::111122223333:assumed-role/admin/alice --context my-cluster
  authenticator explain --as-me --cluster-id my-cluster
  authenticator explain --arn arn:aws:iam::111122223333:user/bob --can-i get pods/log -n dev
  authenticator explain --who delete nodes
  authenticator token -i my-cluster --token-only | authenticator explain -i my-cluster --token -`,
		Args: o.access.args,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.SetServerValue(cmd.Flags(), "partition"); err != nil {
				return err
			}
			o.BackendModesGiven = cmd.Flags().Changed("backend-mode")
			o.findSocket(cmd.Flags(), p)
			o.asked = askedOf(cmd.Flags())
			return o.run(cmd.Context(), p, args)
		},
	}
	flags := command.Flags()
	o.subject.addFlags(flags)
	o.addFlags(flags)
	o.access.addFlags(flags)
	o.output.AddFlag(command, cli.Table, cli.Wide, cli.JSON, cli.YAML)
	command.MarkFlagsMutuallyExclusive("token", "arn", "as-me")
	excludeOtherMappings(command)
	return command
}

// explainOptions are the flags of explain: the caller, the mappings and the STS.
type explainOptions struct {
	subject subjectOptions
	explainMappings
	sts    settings.STS
	access rightsOptions
	output cli.Output
	// asked are the flags that were given.
	asked explain.Asked
}

func (o *explainOptions) addFlags(flags *pflag.FlagSet) {
	o.explainMappings.addFlags(flags)
	o.sts.AddFlags(flags)
}

func (o *explainOptions) run(ctx context.Context, p *program, args []string) error {
	if err := o.access.check(o.subject.token != "" || o.subject.arn != "" || o.subject.asMe); err != nil {
		return err
	}
	if o.access.who {
		return o.runWho(ctx, p, args)
	}
	if o.subject.token == "-" && o.filename == "-" {
		return cli.Usagef("--token - and -f - both read standard input: name a file for one of them")
	}
	question, err := o.subject.question(ctx, p)
	if err != nil {
		return err
	}
	explanation, err := o.explain(ctx, p, question)
	if err != nil {
		return err
	}
	allowed, failed := o.access.question(o.cluster.of(p), args).Of(ctx, explanation, o.access.canI, o.access.rights)
	if format := o.output.String(); format == cli.JSON || format == cli.YAML {
		if err := o.output.Print(p.out, explainedAccess{explanation, allowed}, nil); err != nil {
			return err
		}
	} else if err := explanation.Print(p.out, format == cli.Wide); err != nil {
		return err
	} else if err := allowed.Print(p.out, explanation); err != nil {
		return err
	}
	return cmp.Or(failed, exitOf(explanation), allowed.Exit())
}

// exitOf returns the error that ends the program with the exit code of a result.
func exitOf(e explain.Explanation) error {
	switch e.Result {
	case explain.Mapped:
		return nil
	case explain.NotMapped:
		return &cli.Error{Code: exitNotMapped}
	default:
		return &cli.Error{Code: cli.ExitFailure}
	}
}

// explain answers a question with the live mappings of a running server, or with those
// of the flags.
func (o *explainOptions) explain(ctx context.Context, p *program, q explain.Question) (explain.Explanation, error) {
	q.Asked = o.asked
	explanation, err := o.ask(ctx, p, q)
	explanation.Command = p.typed(explanation.Command)
	return explanation, err
}

func (o *explainOptions) ask(ctx context.Context, p *program, q explain.Question) (explain.Explanation, error) {
	if o.useSocket {
		defer cli.Waiting(p.err, "authenticator: waiting for the server")()
		q.Cluster = p.ClusterID
		return explain.Ask(ctx, unixsocket.NewClient(settings.SocketPath(o.stateDir)), unixsocket.URL, q)
	}
	return answer.Explain(ctx, o.place(p), &o.sts, p.getenv, q)
}

// explainMappings are the flags that name the mappings of explain: the server's flags,
// with a file or a kubeconfig of the user.
type explainMappings struct {
	settings.Mapping
	filename string
	cluster  clusterFlags
	// lenient makes a missing kubeconfig no error: the mappings are then unread.
	lenient bool
	// idChecked is set if the cluster is known to have the cluster ID.
	idChecked bool
	// stateDir is where the socket of a running server is.
	stateDir string
	// useSocket is set if the server is asked, and noServer says why it is not.
	useSocket bool
	noServer  string
}

// askedOf returns the flags of a question that were given.
func askedOf(flags *pflag.FlagSet) (asked explain.Asked) {
	ofServer := serverFlags()
	flags.Visit(func(flag *pflag.Flag) {
		value := flag.Value.String()
		switch {
		case flag.Name == "profile":
			asked.Profile = value
		case flag.Name == "region":
			asked.Region = value
		case flag.Name == "role":
			asked.Role = value
		case slices.Contains([]string{"config", "filename", "kubeconfig", "context", "state-dir", "timeout"}, flag.Name):
			asked.Place = append(asked.Place, flagWords(flag)...)
		case flag.Name == "feature-gates" || ofServer.Lookup(flag.Name) != nil:
			asked.Server = append(asked.Server, flagWords(flag)...)
		}
	})
	return asked
}

// flagWords returns a flag as it can be given.
func flagWords(flag *pflag.Flag) (words []string) {
	name := "--" + flag.Name
	if flag.Name == "filename" {
		name = "-f"
	}
	if list, ok := flag.Value.(pflag.SliceValue); ok {
		for _, value := range list.GetSlice() {
			words = append(words, name, value)
		}
		return words
	}
	if flag.NoOptDefVal != "" { // its value must be in the same word
		return []string{name + "=" + flag.Value.String()}
	}
	return []string{name, flag.Value.String()}
}

// serverFlags returns the flags of a server that say where mappings come from, or how it
// reads them and decides.
func serverFlags() *pflag.FlagSet {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(settings.Mapping).AddSourceFlags(flags)
	new(settings.STS).AddFlags(flags)
	return flags
}

// excludeOtherMappings makes -f the only mappings.
func excludeOtherMappings(command *cobra.Command) {
	command.MarkFlagsMutuallyExclusive("filename", "backend-mode")
	command.MarkFlagsMutuallyExclusive("filename", "aws-auth-file")
	command.MarkFlagsMutuallyExclusive("filename", "dynamic-file")
}

func (o *explainMappings) addFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&o.filename, "filename", "f", "", "file of mappings: aws-auth, a DynamicFile or IAMIdentityMappings; - reads standard input")
	flags.StringVar(&o.stateDir, "state-dir", settings.DefaultStateDir, "directory of the running server's socket")
	o.cluster.addFlags(flags)
	o.AddSourceFlags(flags)
}

// findSocket decides whether to ask the running server, which decides with its own flags:
// a flag of the server that is given asks for its own answer.
func (o *explainMappings) findSocket(flags *pflag.FlagSet, p *program) {
	if p.ConfigPath != "" {
		o.noServer = "--config is given"
		return
	}
	if name := givenServerFlag(flags); name != "" {
		o.noServer = "--" + name + " is given"
		return
	}
	path := settings.SocketPath(o.stateDir)
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		o.noServer = "no server answers at " + path
		return
	}
	_ = conn.Close()
	o.useSocket = true
}

// givenServerFlag returns the first flag that is given and that says where mappings come
// from, or how a server reads them and decides; empty if there is none.
func givenServerFlag(flags *pflag.FlagSet) (given string) {
	ofServer := serverFlags()
	flags.Visit(func(flag *pflag.Flag) {
		isPlace := slices.Contains([]string{"filename", "kubeconfig", "context", "feature-gates"}, flag.Name)
		if given == "" && (isPlace || ofServer.Lookup(flag.Name) != nil) {
			given = flag.Name
		}
	})
	return given
}

// place returns where the mappings are.
func (o *explainMappings) place(p *program) *place.Place {
	return &place.Place{
		General: &p.General, Mapping: &o.Mapping, Filename: o.filename, Kubectl: o.cluster.of(p),
		NoServer: o.noServer, IDChecked: o.idChecked, Lenient: o.lenient, Files: p.mappings(), Err: p.err,
	}
}

// explainedAccess is an explanation with what Kubernetes allows the caller.
type explainedAccess struct {
	explain.Explanation
	access.Access
}

// runWho prints who may do what the arguments say.
func (o *explainOptions) runWho(ctx context.Context, p *program, args []string) error {
	read, err := o.place(p).Read(ctx, o.sts.Partition)
	if err != nil {
		return err
	}
	found, err := o.access.question(o.cluster.of(p), args).Who(ctx, read, o.OwnerARNs)
	if err != nil {
		return err
	}
	if format := o.output.String(); format == cli.JSON || format == cli.YAML {
		return o.output.Print(p.out, found, nil)
	}
	return found.Print(p.out)
}

// rightsOptions are the flags of explain that ask what Kubernetes allows. VERB and
// RESOURCE are arguments, as for kubectl auth can-i.
type rightsOptions struct {
	canI, rights, who bool
	namespace         string
}

func (o *rightsOptions) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.canI, "can-i", false, "ask the API server whether the caller may do VERB RESOURCE, two arguments as for kubectl auth can-i")
	flags.BoolVar(&o.rights, "rights", false, "show what RBAC allows the caller, and the bindings that allow it")
	flags.BoolVar(&o.who, "who", false, "show the AWS identities that RBAC allows to do VERB RESOURCE, each with its mapping and binding")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "namespace for --can-i, --rights and --who (default: all namespaces)")
}

// args checks the arguments, which are VERB and RESOURCE if a flag needs them.
func (o *rightsOptions) args(cmd *cobra.Command, args []string) error {
	if !o.canI && !o.who {
		return cli.NoArgs(cmd, args)
	}
	if len(args) != 2 {
		return cli.Usagef("--can-i and --who need two arguments, VERB RESOURCE, such as: get pods")
	}
	return nil
}

// check returns an error for flags that cannot be combined.
func (o *rightsOptions) check(hasSubject bool) error {
	switch {
	case o.who && (o.canI || o.rights):
		return cli.Usagef("--who cannot be combined with --can-i or --rights")
	case o.who && hasSubject:
		return cli.Usagef("--who is about all AWS identities: omit --token, --arn and --as-me")
	case o.namespace != "" && !o.who && !o.canI && !o.rights:
		return cli.Usagef("--namespace requires --can-i, --rights or --who")
	}
	return nil
}

// question returns the question that the flags and arguments ask of a cluster.
func (o *rightsOptions) question(kubectl *kube.Kubectl, args []string) access.Question {
	return access.Question{Kubectl: kubectl, Action: args, Namespace: o.namespace}
}

// subjectOptions are the flags that say who an explanation is about.
type subjectOptions struct {
	token                string
	arn, session, userID string
	asMe                 bool
	credentialOptions
}

// credentialOptions are the flags that select the AWS credentials of this shell.
type credentialOptions struct {
	profile, region, role string
	cache                 bool
}

func (o *credentialOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.profile, "profile", "", "profile of the AWS configuration (default: $AWS_PROFILE, else default)")
	flags.StringVar(&o.region, "region", "", "region of the STS endpoint to ask (default: the region of the environment, the profile or the instance, else us-east-1)")
	flags.StringVarP(&o.role, "role", "r", "", "ARN of a role to assume first ($DEFAULT_ROLE)")
	flags.BoolVar(&o.cache, "cache", false, cacheUsage)
}

func (o *subjectOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&o.token, "token", "t", "", "file with the token; - reads it from standard input")
	flags.StringVar(&o.arn, "arn", "", "ARN of a user, a role, an assumed role, a federated user or root")
	flags.StringVar(&o.session, "session", "", "session name, for the ARN of a role")
	flags.StringVar(&o.userID, "user-id", "", "user ID as STS returns it, without the session (AIDA… or AROA…)")
	flags.BoolVar(&o.asMe, "as-me", false, "explain the identity of the AWS credentials of this shell")
	o.credentialOptions.addFlags(flags)
}

// question returns the question that the flags ask.
func (o *subjectOptions) question(ctx context.Context, p *program) (explain.Question, error) {
	switch {
	case o.arn == "" && (o.session != "" || o.userID != ""):
		return explain.Question{}, cli.Usagef("--session and --user-id require --arn")
	case !o.asMe && (o.profile != "" || o.region != ""):
		return explain.Question{}, cli.Usagef("--profile and --region require --as-me")
	case o.arn != "":
		return explain.PrincipalQuestion(o.arn, o.session, o.userID)
	case o.token == "" && !o.asMe:
		return explain.Question{}, cli.Usagef("the question is missing: name a token with --token - or --token FILE, an AWS identity with --arn, or yourself with --as-me")
	}
	if err := p.NeedClusterID(); err != nil {
		return explain.Question{}, err
	}
	if o.asMe {
		bearer, err := o.bearer(ctx, p)
		return explain.Question{Token: bearer}, err
	}
	bearer, err := p.readToken(ctx, o.token)
	return explain.Question{Token: bearer}, err
}

// bearer makes a token with the credentials of this shell, as the command token does.
func (o *credentialOptions) bearer(ctx context.Context, p *program) (string, error) {
	made, err := p.newCache(o.cache).Token(roots.WithPublic(ctx), presign.Config{
		ClusterID: p.ClusterID, Profile: o.profile, Region: o.region, RoleARN: o.role, MFAToken: p.askMFA(ctx, execInfo{}),
	})
	return made.Token, err
}

// readToken reads a token from a file, or from standard input.
func (p *program) readToken(ctx context.Context, name string) (string, error) {
	if strings.HasPrefix(name, token.Prefix) {
		return "", cli.Usagef("--token is the name of a file: write the token to standard input and use --token -, since other users of the machine can see arguments")
	}
	text, err := file.ReadInput(ctx, p.in, name, maxStdin)
	if err != nil {
		return "", cli.Usagef("reading the token: %w", err)
	}
	bearer := strings.TrimSpace(string(text))
	if bearer == "" {
		return "", cli.Usagef("reading the token: it is empty")
	}
	return bearer, nil
}
