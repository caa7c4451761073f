package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

// An awsServer is a local AWS that listens.
type awsServer struct {
	aws *localaws.AWS
	log *os.File
	// end tells it to stop; ended is closed when it has, with why in err.
	end   context.CancelFunc
	ended chan struct{}
	err   error
}

func (l *Lab) startAWS(ctx context.Context, instances ...localaws.Instance) error {
	if err := l.dir.Mkdir(awsDir); err != nil {
		return fmt.Errorf("making local AWS's directory: %w", err)
	}
	files := l.info.files()
	ca, err := files.LoadOrCreateCA(time.Now())
	if err != nil {
		return err
	}
	log, err := l.dir.Create(awsDir+"/log", 0o600)
	if err != nil {
		return fmt.Errorf("opening local AWS's log: %w", err)
	}
	server := &awsServer{log: log, end: func() {}, ended: make(chan struct{})}
	l.aws = server
	server.aws, err = localaws.New(localaws.Config{
		AccountID: Account, Region: Region, CA: ca,
		Instances: append(instances, localaws.Instance{ID: NodeInstanceID, PrivateDNSName: NodeName}),
		Log:       slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		close(server.ended)
		return err
	}
	listener, err := listenOnLoopback(l.config.Listen)
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
	if err := files.Write(server.aws); err != nil {
		return err
	}
	l.info.AWS = "http://" + listener.Addr().String()
	l.info.Account, l.info.Region = Account, Region
	return l.populateAWS(ctx)
}

// listenOnLoopback listens where other machines cannot connect: the lab's AWS
// gives its administrator's key away.
func listenOnLoopback(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s (--listen names another address): %w", address, err)
	}
	if tcp, ok := listener.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		_ = listener.Close()
		return nil, fmt.Errorf("listening on %s: other machines can connect to it; --listen takes an address of loopback", address)
	}
	return listener, nil
}

func (s *awsServer) stop() error {
	s.end()
	<-s.ended
	return errors.Join(s.err, s.log.Close())
}

// awsDir of the lab's directory holds what clients of local AWS need.
const awsDir = "aws"

// files of local AWS.
func (i Info) files() localaws.Files { return localaws.Files{Dir: filepath.Join(i.Dir, awsDir)} }

// administrator reads the administrator's key.
func (i Info) administrator() (localaws.AccessKey, error) {
	if err := i.checkCredentials(); err != nil {
		return localaws.AccessKey{}, err
	}
	return i.files().Administrator()
}

// useKey makes a key the one that AWS's clients use, as `aws configure` does.
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

// populateAWS makes the users and roles that the story finds, and the cluster, as
// its owner.
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
	for _, role := range []struct{ name, trusted string }{
		{OwnerRole, `"AWS":"` + Account + `"`},
		{clusterRole, `"Service":"eks.amazonaws.com"`},
		{nodeRole, `"Service":"ec2.amazonaws.com"`},
	} {
		made, err := client.CreateRole(ctx, &iam.CreateRoleInput{
			RoleName:                 aws.String(role.name),
			AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{` + role.trusted + `},"Action":"sts:AssumeRole"}]}`),
		})
		if err != nil {
			return fmt.Errorf("making role %s: %w", role.name, err)
		}
		roles[role.name] = aws.ToString(made.Role.Arn)
	}
	if _, err := client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: aws.String(OwnerRole), PolicyName: aws.String("CreateCluster"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[` +
			`{"Effect":"Allow","Action":"eks:CreateCluster","Resource":"` + ClusterARN + `"},` +
			`{"Effect":"Allow","Action":"iam:PassRole","Resource":"` + roles[clusterRole] + `"}]}`),
	}); err != nil {
		return fmt.Errorf("giving role %s its policy: %w", OwnerRole, err)
	}
	if err := createCluster(ctx, configuration, roles[OwnerRole], roles[clusterRole]); err != nil {
		return err
	}
	cluster, ok := l.aws.aws.Cluster(Region, ClusterName)
	if !ok {
		return fmt.Errorf("finding who made cluster %s: local AWS does not know the cluster", ClusterName)
	}
	l.info.OwnerARN = cluster.CreatorARN
	return l.createAuthenticatorUser(ctx, client)
}

// createCluster makes the cluster as its owner: who makes a cluster of EKS may do
// all in it, and no ConfigMap says so.
func createCluster(ctx context.Context, configuration aws.Config, ownerARN, roleARN string) error {
	owner := configuration.Copy()
	owner.Credentials = stscreds.NewAssumeRoleProvider(sts.NewFromConfig(configuration), ownerARN)
	_, err := eks.NewFromConfig(owner).CreateCluster(ctx, &eks.CreateClusterInput{
		Name: aws.String(ClusterName), RoleArn: &roleARN,
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: []string{"subnet-0a", "subnet-0b"}},
	})
	if err != nil {
		return fmt.Errorf("making cluster %s: %w", ClusterName, err)
	}
	return nil
}

// createAuthenticatorUser makes who the authenticator is in AWS, and writes its
// credentials file.
func (l *Lab) createAuthenticatorUser(ctx context.Context, client *iam.Client) error {
	name := aws.String(authenticatorUser)
	if _, err := client.CreateUser(ctx, &iam.CreateUserInput{UserName: name}); err != nil {
		return fmt.Errorf("making user %s: %w", authenticatorUser, err)
	}
	if _, err := client.PutUserPolicy(ctx, &iam.PutUserPolicyInput{
		UserName: name, PolicyName: aws.String("DescribeInstances"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:DescribeInstances","Resource":"*"}]}`),
	}); err != nil {
		return fmt.Errorf("giving user %s its policy: %w", authenticatorUser, err)
	}
	made, err := client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name})
	if err != nil {
		return fmt.Errorf("making the access key of user %s: %w", authenticatorUser, err)
	}
	if err := l.dir.Mkdir(authenticatorDir); err != nil {
		return fmt.Errorf("making the authenticator's directory: %w", err)
	}
	credentials := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
		aws.ToString(made.AccessKey.AccessKeyId), aws.ToString(made.AccessKey.SecretAccessKey))
	if err := l.dir.WriteFile(authenticatorCredentialsFile, []byte(credentials), 0o600); err != nil {
		return fmt.Errorf("writing the authenticator's AWS credentials: %w", err)
	}
	return nil
}

// authenticatorCredentialsFile holds the authenticator's key.
const authenticatorCredentialsFile = authenticatorDir + "/aws-credentials"

// authenticatorEnvironment leads the authenticator to the local AWS, as itself.
func (l *Lab) authenticatorEnvironment() []string {
	environment := l.info.awsEnvironment()
	environment.Set["AWS_SHARED_CREDENTIALS_FILE"] = l.path(authenticatorCredentialsFile)
	return environment.Apply(os.Environ())
}

// bindCluster says where the API server of the cluster is that EKS describes.
func (l *Lab) bindCluster(endpoint string, ca []byte) error {
	l.info.Endpoint, l.info.Cluster = endpoint, ClusterName
	return l.aws.aws.RegisterCluster(Region, ClusterName, endpoint, ca)
}
