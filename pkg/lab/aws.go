package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

// An awsServer is a running local AWS.
type awsServer struct {
	aws *localaws.AWS
	log *os.File
	// end stops it. ended is closed once it has stopped; err is the reason.
	end   context.CancelFunc
	ended chan struct{}
	err   error
	// following counts what follows its state, until end.
	following sync.WaitGroup
}

func (l *Lab) startAWS(ctx context.Context) error {
	if err := l.dir.Mkdir(awsDir); err != nil {
		return fmt.Errorf("making local AWS's directory: %w", err)
	}
	files := l.info.files()
	ca, err := files.LoadOrCreateCA(time.Now())
	if err != nil {
		return err
	}
	log, err := l.dir.Append(awsDir + "/log")
	if err != nil {
		return fmt.Errorf("opening local AWS's log: %w", err)
	}
	var administrator localaws.AccessKey // of the state that is taken up, or a new one
	if l.takesUp() {
		if administrator, err = l.info.administrator(); err != nil {
			return err
		}
	}
	var further []localaws.Account
	for _, id := range l.config.Accounts {
		of := localaws.Account{ID: id}
		if l.takesUp() {
			if of.Administrator, err = files.AdministratorOf(id); err != nil {
				return err
			}
		}
		further = append(further, of)
	}
	server := &awsServer{log: log, end: func() {}, ended: make(chan struct{})}
	l.aws = server
	server.aws, err = localaws.New(localaws.Config{
		AccountID: Account, Region: Region, CA: ca, Administrator: administrator, Accounts: further, StateFile: l.path(awsDir, "state.json"),
		Instances: append(l.workers(), localaws.Instance{ID: NodeInstanceID, PrivateDNSName: NodeName}),
		Log:       slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		close(server.ended)
		return err
	}
	listener, err := l.listenAsBefore()
	if err != nil {
		close(server.ended)
		return err
	}
	var serving context.Context
	serving, server.end = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(server.ended)
		server.err = server.aws.Serve(serving, listener, nil)
	}()
	l.info.AWS = "http://" + listener.Addr().String()
	l.info.Account, l.info.Region = Account, Region
	if l.takesUp() {
		l.info.OwnerARN = l.earlier.OwnerARN
		err = errors.Join(files.WriteControlSecret(server.aws), files.Announce(listener.Addr().String()))
	} else if err = errors.Join(files.Write(server.aws), files.Announce(listener.Addr().String())); err == nil {
		err = l.populateAWS(ctx)
	}
	if err != nil {
		return err
	}
	follow, err := (&accessHandover{lab: l}).start()
	if err != nil {
		return err
	}
	server.following.Go(func() { follow(serving) })
	return nil
}

// listenOnLoopback listens only where other machines cannot connect, since the
// lab's AWS gives its administrator's key to everyone.
func listenOnLoopback(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s (--listen names another address): %w", address, err)
	}
	if tcp, ok := listener.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		_ = listener.Close()
		return nil, fmt.Errorf("listening on %s: other machines can connect to it (--listen requires a loopback address)", address)
	}
	return listener, nil
}

func (s *awsServer) stop() error {
	s.end()
	<-s.ended
	s.following.Wait()
	var err error
	if s.aws != nil {
		err = s.aws.Close()
	}
	return errors.Join(s.err, err, s.log.Close())
}

// awsDir, in the lab's directory, holds the files that local AWS's clients need.
const awsDir = "aws"

// files returns the files of local AWS.
func (i Info) files() localaws.Files { return localaws.Files{Dir: filepath.Join(i.Dir, awsDir)} }

// administrator returns the administrator's access key.
func (i Info) administrator() (localaws.AccessKey, error) {
	if err := i.checkCredentials(); err != nil {
		return localaws.AccessKey{}, err
	}
	return i.files().Administrator()
}

// useKey makes a key the default of AWS's clients, as `aws configure` does.
func (i Info) useKey(key localaws.AccessKey) error {
	if err := i.checkCredentials(); err != nil {
		return err
	}
	return i.files().WriteDefault(key)
}

// checkCredentials checks the credentials file, which other packages open by path.
func (i Info) checkCredentials() error {
	dir, err := i.open()
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Check(awsDir + "/credentials"); err != nil {
		return fmt.Errorf("opening the AWS credentials: %w", err)
	}
	return nil
}

// populateAWS creates the users and roles that exist when the story begins, and,
// as its owner, the cluster.
func (l *Lab) populateAWS(ctx context.Context) error {
	admin, err := l.info.administrator()
	if err != nil {
		return err
	}
	configuration, err := l.info.sdk(admin)
	if err != nil {
		return err
	}
	client := iam.NewFromConfig(configuration)
	roles := map[string]string{}
	for _, role := range []struct{ name, kind, trusted string }{
		{OwnerRole, "AWS", Account},
		{clusterRole, "Service", "eks.amazonaws.com"},
		{nodeRole, "Service", "ec2.amazonaws.com"},
	} {
		trust, err := trustPolicy(role.kind, role.trusted)
		if err != nil {
			return err
		}
		made, err := client.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &role.name, AssumeRolePolicyDocument: &trust})
		if err != nil {
			return fmt.Errorf("creating role %s: %w", role.name, err)
		}
		roles[role.name] = aws.ToString(made.Role.Arn)
	}
	if _, err := client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: aws.String(OwnerRole), PolicyName: aws.String("CreateCluster"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[` +
			`{"Effect":"Allow","Action":["eks:CreateCluster","eks:DescribeCluster"],"Resource":"` + ClusterARN + `"},` +
			`{"Effect":"Allow","Action":"iam:PassRole","Resource":"` + roles[clusterRole] + `"}]}`),
	}); err != nil {
		return fmt.Errorf("adding the policy of role %s: %w", OwnerRole, err)
	}
	if err := l.createCluster(ctx, configuration, roles[OwnerRole], roles[clusterRole]); err != nil {
		return err
	}
	if len(l.workers()) > 0 {
		if err := createInstanceProfile(ctx, client); err != nil {
			return err
		}
	}
	cluster, ok := l.aws.aws.Cluster(Region, ClusterName)
	if !ok {
		return fmt.Errorf("finding the creator of cluster %s: local AWS has no such cluster", ClusterName)
	}
	l.info.OwnerARN = cluster.CreatorARN
	if err := l.addOwnerProfile(); err != nil {
		return err
	}
	if err := l.createAuthenticatorUser(ctx, client); err != nil {
		return err
	}
	return l.createAccount(ctx, client)
}

// addOwnerProfile adds a profile to the AWS configuration that assumes the owner's role.
func (l *Lab) addOwnerProfile() error {
	file, err := l.dir.Append(awsDir + "/config")
	if err != nil {
		return fmt.Errorf("writing the AWS configuration: %w", err)
	}
	_, err = fmt.Fprintf(file, "[profile owner]\nrole_arn = %s\nsource_profile = admin\nregion = %s\noutput = json\n\n", l.info.OwnerARN, Region)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("writing the AWS configuration: %w", err)
	}
	return nil
}

// createCluster creates the cluster as its owner, in the default VPC. In EKS, the creator
// of a cluster has full access to it without an entry in any ConfigMap.
func (l *Lab) createCluster(ctx context.Context, configuration aws.Config, ownerARN, roleARN string) error {
	owner := configuration.Copy()
	owner.Credentials = stscreds.NewAssumeRoleProvider(sts.NewFromConfig(configuration), ownerARN)
	_, err := eks.NewFromConfig(owner).CreateCluster(ctx, &eks.CreateClusterInput{
		Name: aws.String(ClusterName), RoleArn: &roleARN,
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: l.aws.aws.DefaultSubnets(Region)},
		// As with eksctl. It can be changed to API.
		AccessConfig: &types.CreateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApiAndConfigMap},
	})
	if err != nil {
		return fmt.Errorf("creating cluster %s: %w", ClusterName, err)
	}
	return nil
}

// createAuthenticatorUser creates the authenticator's IAM user and writes its
// credentials file.
func (l *Lab) createAuthenticatorUser(ctx context.Context, client *iam.Client) error {
	name := aws.String(authenticatorUser)
	if _, err := client.CreateUser(ctx, &iam.CreateUserInput{UserName: name}); err != nil {
		return fmt.Errorf("creating user %s: %w", authenticatorUser, err)
	}
	if _, err := client.PutUserPolicy(ctx, &iam.PutUserPolicyInput{
		UserName: name, PolicyName: aws.String("DescribeInstances"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:DescribeInstances","Resource":"*"}]}`),
	}); err != nil {
		return fmt.Errorf("adding the policy of user %s: %w", authenticatorUser, err)
	}
	made, err := client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name})
	if err != nil {
		return fmt.Errorf("creating the access key of user %s: %w", authenticatorUser, err)
	}
	if err := l.dir.Mkdir(provider.AuthenticatorDir); err != nil {
		return fmt.Errorf("making the authenticator's directory: %w", err)
	}
	credentials := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
		aws.ToString(made.AccessKey.AccessKeyId), aws.ToString(made.AccessKey.SecretAccessKey))
	if err := l.dir.WriteFile(authenticatorCredentialsFile, []byte(credentials), 0o600); err != nil {
		return fmt.Errorf("writing the authenticator's AWS credentials: %w", err)
	}
	return nil
}

// authenticatorCredentialsFile holds the authenticator's access key.
const authenticatorCredentialsFile = provider.AuthenticatorDir + "/aws-credentials"

// authenticatorEnvironment returns the environment in which the authenticator uses
// the local AWS with its own access key.
func (l *Lab) authenticatorEnvironment() []string {
	environment := l.info.awsEnvironment()
	environment.Set["AWS_SHARED_CREDENTIALS_FILE"] = l.path(authenticatorCredentialsFile)
	return environment.Apply(os.Environ())
}

// createInstanceProfile creates the instance profile that gives the workers their role.
func createInstanceProfile(ctx context.Context, client *iam.Client) error {
	if _, err := client.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: aws.String(nodeRole)}); err != nil {
		return fmt.Errorf("creating instance profile %s: %w", nodeRole, err)
	}
	if _, err := client.AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileInput{
		InstanceProfileName: aws.String(nodeRole), RoleName: aws.String(nodeRole),
	}); err != nil {
		return fmt.Errorf("adding role %s to its instance profile: %w", nodeRole, err)
	}
	return nil
}

// registerCluster sets the endpoint and the CA that EKS reports for the cluster.
func (l *Lab) registerCluster(context.Context) error {
	l.info.Endpoint, l.info.Cluster = l.cluster.Admin().Host, ClusterName
	return l.aws.aws.RegisterCluster(Region, ClusterName, l.info.Endpoint, l.cluster.Admin().CAData)
}
