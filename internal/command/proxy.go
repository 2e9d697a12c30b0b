// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"cmp"
	"context"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/apiproxy"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/proxy"
)

// proxyRun is what one run of proxy is told.
type proxyRun struct {
	platform     platforms.Platform
	flags        *flags
	variable     string
	strict, keep bool
	port         int // to listen on; 0: the system chooses one
	urlFile      string
	urlMode      string
	servedFor    int // the id of the process whose end ends the proxy; 0: there is none
}

func (c *invocation) proxyCommand() *cobra.Command {
	return c.perPlatform("proxy PLATFORM [flags] [-- COMMAND…]", "Forwards requests to an API, each with a valid token",
		"Listens on this machine, forwards requests to an API, and adds a valid access token to each request. A command that runs for hours then needs no token of its own.",
		c.examples("proxy equinix -- terraform apply", "proxy equinix"),
		func(p platforms.Platform) *cobra.Command {
			upstream := ""
			if p.Upstream == "" {
				upstream = " --upstream https://api.example"
			}
			cmd := &cobra.Command{
				Use: p.Name + " [flags] [-- COMMAND…]", Short: p.Title, DisableFlagsInUseLine: true,
				Example: c.examples("proxy "+p.Name+upstream+" -- ./deploy.sh", "proxy "+p.Name+upstream),
				Long: "Listens on this machine, forwards requests to an API of " + p.Title + ", and adds a valid access token to each request.\n\n" +
					"With a command, " + urlName("", p) + " holds the API proxy's URL for it, and the API proxy ends with the command. Without a command, the API proxy prints its URL and runs until you interrupt it. The URL is a secret: every program of this machine that knows it can use the API.",
			}
			r := &proxyRun{platform: p}
			set := pflag.NewFlagSet("", pflag.ContinueOnError)
			set.StringVar(&r.variable, "variable", "", "The `NAME` of the variable that holds the URL. Default: "+urlName("", p)+".")
			r.addPlace(set)
			addStrict(set, &r.strict)
			addKeepCredentials(set, &r.keep)
			r.addServeFor(set)
			cmd.Flags().AddFlagSet(set)
			setGroup(cmd, "Proxy options", set)
			r.flags = settingsFlags(cmd, p.APIProxy())
			cmd.RunE = func(cmd *cobra.Command, args []string) error { return c.runProxy(cmd, r, args) }
			return cmd
		})
}

func (c *invocation) runProxy(cmd *cobra.Command, r *proxyRun, args []string) error {
	ctx := cmd.Context()
	if err := checkVariable(cmd, urlName(r.variable, r.platform)); err != nil {
		return err
	}
	if r.servedFor == 0 { // otherwise the process for which it serves has checked
		if err := r.checkPlace(cmd); err != nil {
			return err
		}
	}
	if len(args) > 0 || cmd.ArgsLenAtDash() >= 0 {
		path, err := commandAfterDash(cmd, args)
		if err != nil {
			return err
		}
		return c.runBesideProxy(ctx, r, path, args)
	}
	if served, err := c.serveInBackground(ctx, r); served {
		return err
	}
	return c.serve(ctx, r, func(url string, _ []string) error {
		if r.urlFile == "" { // otherwise it would be in the log of a container
			if err := c.printResult(url + "\n"); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return &failure{status: statusInterrupted}
	})
}

// serve runs the proxy until use returns. use gets its URL, and the names of the variables that hold secrets.
func (c *invocation) serve(ctx context.Context, r *proxyRun, use func(url string, secrets []string) error) error {
	started, secrets, err := c.startProxy(ctx, r)
	if err != nil {
		return err
	}
	url := started.URL().Reveal()
	remove, err := r.publish(url)
	if err == nil {
		err = use(url, secrets)
	}
	remove()
	summary := started.Close()
	c.printMessages(r.platform.RemarksOnRefusals(summary.Fresh, summary.Kept)...)
	c.printMessages(r.platform.RemarksOnHolds(summary.Held, summary.LongestHold)...)
	return err
}

// urlName returns the name of the variable that holds the proxy's URL: name, or the default if name is empty.
func urlName(name string, p platforms.Platform) string {
	return cmp.Or(name, strings.ToUpper(p.Name)+"_API_URL")
}

// startProxy obtains the first token and starts the proxy. It returns the names of the variables that hold secrets, too. The
// end of ctx, such as Ctrl-C, ends only the wait for the first token. It does not stop the proxy, because the command may need
// the API to clean up.
func (c *invocation) startProxy(ctx context.Context, r *proxyRun) (started *proxy.Proxy, secrets []string, err error) {
	p := r.platform
	targets, err := c.resolve(ctx, r.flags, []platforms.Platform{p.APIProxy()})
	if err != nil {
		return nil, nil, err
	}
	t := targets[0]
	options := c.options(t, nil)
	client := clients.New(options)
	first, err := c.token(ctx, client, t, r.strict)
	if err != nil {
		return nil, nil, err
	}
	t.terms.Once = false // the proxy stays
	c.settled.Store(true)
	started, err = apiproxy.Start(context.WithoutCancel(ctx), apiproxy.Options{
		Platform: p, Settings: t.found, Terms: t.terms, Client: client, First: first, RootCAs: options.RootCAs, Port: r.port,
		Reload: func(ctx context.Context) (platforms.Settings, bool) { return c.reload(ctx, r.flags, p.APIProxy()) },
	})
	if err != nil {
		return nil, nil, &failure{statusFailed, []platforms.Message{t.ExplainNoListener(err)}}
	}
	return started, t.SecretVariables(t.sources...), nil
}

// reload returns the settings with the secrets that their files hold now; false: they cannot be used. What came from standard
// input or a pipe stays the same.
func (c *invocation) reload(ctx context.Context, f *flags, p platforms.Platform) (platforms.Settings, bool) {
	for _, g := range f.groups {
		for _, in := range g.inputs {
			texts := g.given[in.Name]
			if !in.Secret || len(texts) == 0 || texts[0] == stdin {
				continue
			}
			if file, err := os.Stat(texts[0]); err != nil || !file.Mode().IsRegular() {
				continue
			}
			value, err := c.readFile(ctx, texts[0])
			if err != nil {
				return platforms.Settings{}, false
			}
			g.read[in.Name] = platforms.Setting{Value: value, From: fromFile}
			if in.Map && g.joinPairs(in) != nil {
				return platforms.Settings{}, false
			}
		}
	}
	found, bad := p.Resolve(f.sources(c, 0)...)
	return found, len(bad.Missing)+len(bad.Invalid) == 0
}

// proxyEnvironment returns the environment of a command that uses the proxy at url. secrets are the names of the variables
// that hold secrets.
func (c *invocation) proxyEnvironment(r *proxyRun, url string, secrets []string) []string {
	if r.keep {
		secrets = nil
	}
	return c.childEnvironment(secrets, append(c.noProxy(), urlName(r.variable, r.platform)+"="+url))
}

// noProxy returns the variables that keep a command from sending the requests for the API proxy, and its URL with them, to a
// network proxy. It returns nil if the environment names no network proxy.
func (c *invocation) noProxy() []string {
	if !slices.ContainsFunc(c.Environ, namesNetworkProxy) {
		return nil
	}
	const everything = "*"
	var hosts []string
	for _, value := range []string{c.getenv("NO_PROXY"), c.getenv("no_proxy"), "127.0.0.1"} {
		if strings.TrimSpace(value) == everything { // has this meaning only where it stands alone
			hosts = []string{everything}
			break
		}
		for host := range strings.SplitSeq(value, ",") {
			if host = strings.TrimSpace(host); host != "" && !slices.Contains(hosts, host) {
				hosts = append(hosts, host)
			}
		}
	}
	value := strings.Join(hosts, ",")
	return []string{"NO_PROXY=" + value, "no_proxy=" + value}
}

// namesNetworkProxy reports whether a variable, as "NAME=value", names a network proxy. Programs differ in which case they
// read.
func namesNetworkProxy(variable string) bool {
	name, value, _ := strings.Cut(variable, "=")
	return value != "" && slices.Contains([]string{"http_proxy", "https_proxy", "all_proxy"}, strings.ToLower(name))
}
