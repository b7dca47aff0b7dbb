// Command probe is what the tests run inside pods: it serves, connects, resolves, writes and reads, and says who it is.
// It is also the pause program of the cluster, and the "internet" outside of it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const usage = `probe serve PORT...            answers each HTTP request with the host's name and what it was asked
probe connect HOST:PORT...     all at once, one line each: open, refused, silent or unknown; fails unless all are open
probe get URL                  prints status and body
probe resolve NAME             prints the addresses
probe write FILE TEXT          and synchronises the disk
probe read FILE
probe fill FILE BYTES          writes so many zeros, or says why it stopped
probe env NAME
probe status                   uid, groups, capabilities, seccomp and privileges of this process
probe pause                    until it is told to end; buries the dead`

const patience = 3 * time.Second

func main() {
	if len(os.Args) < 2 {
		fail(errors.New(usage))
	}
	arguments := os.Args[2:]
	commands := map[string]func([]string) error{
		"serve": serve, "connect": connect, "get": get, "resolve": resolve, "write": write, "read": read, "fill": fill,
		"env": env, "status": status, "pause": pause,
	}
	wanted := map[string]int{"serve": 1, "connect": 1, "get": 1, "resolve": 1, "write": 2, "read": 1, "fill": 2, "env": 1}
	command, known := commands[os.Args[1]]
	if !known || len(arguments) < wanted[os.Args[1]] {
		fail(errors.New(usage))
	}
	if err := command(arguments); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func serve(ports []string) error {
	name, _ := os.Hostname()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s%s from %s\n", name, r.Host, r.URL, r.RemoteAddr)
	})
	failed := make(chan error)
	for _, port := range ports {
		go func() { failed <- http.ListenAndServe(":"+port, handler) }()
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	select {
	case err := <-failed:
		return err
	case <-ended:
		return nil
	}
}

func connect(targets []string) error {
	said := make([]string, len(targets))
	var all sync.WaitGroup
	for i, target := range targets {
		all.Go(func() { said[i] = tried(target) })
	}
	all.Wait()
	for i, target := range targets {
		fmt.Println(target, said[i])
	}
	if slices.ContainsFunc(said, func(answer string) bool { return answer != "open" }) {
		return errors.New("not all are open")
	}
	return nil
}

func tried(target string) string {
	connection, err := net.DialTimeout("tcp", target, patience)
	var unknown *net.DNSError
	var late net.Error
	switch {
	case err == nil:
		connection.Close()
		return "open"
	case errors.As(err, &unknown):
		return "unknown"
	case errors.As(err, &late) && late.Timeout():
		return "silent"
	default:
		return "refused"
	}
}

func get(arguments []string) error {
	client := http.Client{Timeout: patience}
	response, err := client.Get(arguments[0])
	if err != nil {
		return err
	}
	defer response.Body.Close()
	fmt.Println(response.StatusCode)
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

func resolve(arguments []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, arguments[0])
	fmt.Println(strings.Join(addresses, "\n"))
	return err
}

func write(arguments []string) error {
	file, err := os.Create(arguments[0])
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteString(arguments[1]); err != nil {
		return err
	}
	return file.Sync()
}

func read(arguments []string) error {
	content, err := os.ReadFile(arguments[0])
	os.Stdout.Write(content)
	return err
}

func fill(arguments []string) error {
	size, err := strconv.ParseInt(arguments[1], 10, 64)
	if err != nil {
		return err
	}
	file, err := os.Create(arguments[0])
	if err != nil {
		return err
	}
	defer file.Close()
	for block := make([]byte, 1<<20); size > 0; size -= int64(len(block)) {
		if _, err := file.Write(block[:min(size, int64(len(block)))]); err != nil {
			return err
		}
	}
	return file.Sync()
}

func env(arguments []string) error {
	fmt.Println(os.Getenv(arguments[0]))
	return nil
}

func status([]string) error {
	content, err := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(content)) {
		for _, wanted := range []string{"Uid:", "Gid:", "Groups:", "CapEff:", "CapBnd:", "NoNewPrivs:", "Seccomp:"} {
			if strings.HasPrefix(line, wanted) {
				fmt.Println(strings.Join(strings.Fields(line), " "))
			}
		}
	}
	return err
}

func pause([]string) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			break
		}
		for pid := 1; pid > 0; {
			pid, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		}
	}
	return nil
}
