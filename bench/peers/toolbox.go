package main

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

//go:embed java/*.java c/*.c c/*.h
var sources embed.FS

// A tool is what a peer needs besides Go.
type tool struct {
	name     string
	packages []string // of Debian, that provide it
	// prepare builds the peer, or says what is missing.
	prepare func(ctx context.Context, t *toolbox) error
}

var boehmTool = &tool{name: "boehm", packages: []string{"gcc", "libc6-dev", "libgc-dev"}, prepare: prepareBoehm}

// A toolbox is where peers are built, for as long as this process lives.
type toolbox struct {
	dir      string
	exe      string   // this program
	built    []string // folders of sources that are compiled
	versions []string // of what was found
}

func newToolbox() (*toolbox, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "midden-peers-")
	return &toolbox{dir: dir, exe: exe}, err
}

func (t *toolbox) close() error { return os.RemoveAll(t.dir) }

func (t *toolbox) classes() string { return filepath.Join(t.dir, "classes") }
func (t *toolbox) javaLog() string { return filepath.Join(t.dir, "java.log") }
func (t *toolbox) boehm() string   { return filepath.Join(t.dir, "boehm") }

// child returns this program, told to do j. Its collector is not told anything by
// the environment that this process was started in.
func (t *toolbox) child(j childJob) *exec.Cmd {
	arg, err := json.Marshal(j)
	if err != nil {
		panic(err) // a childJob is plain data
	}
	c := exec.Command(t.exe, childCommand, string(arg))
	c.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "GOGC=") || strings.HasPrefix(v, "GOMEMLIMIT=") || strings.HasPrefix(v, "GODEBUG=")
	})
	return c
}

// prepareJava compiles the sources, unless they are, and starts a JVM with flag.
func prepareJava(ctx context.Context, t *toolbox, flag string) error {
	if !slices.Contains(t.built, "java") {
		if err := t.unpack("java"); err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join(t.dir, "java", "*.java"))
		if err != nil {
			return err
		}
		if _, err := tell(ctx, "javac", append([]string{"-d", t.classes()}, files...)...); err != nil {
			return err
		}
		t.built = append(t.built, "java")
		version, err := tell(ctx, "java", "-version")
		if err != nil {
			return err
		}
		lines := strings.Split(version, "\n")
		t.versions = append(t.versions, strings.TrimSpace(lines[min(1, len(lines)-1)]))
	}
	// Not every JDK is built with every collector.
	_, err := tell(ctx, "java", flag, "-version")
	return err
}

// prepareBoehm compiles the sources.
func prepareBoehm(ctx context.Context, t *toolbox) error {
	if slices.Contains(t.built, "c") {
		return nil
	}
	if err := t.unpack("c"); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(t.dir, "c", "*.c"))
	if err != nil {
		return err
	}
	args := append([]string{"-std=c11", "-D_GNU_SOURCE", "-O2", "-o", t.boehm()}, files...)
	if _, err := tell(ctx, "gcc", append(args, "-lgc", "-lpthread")...); err != nil {
		return err
	}
	library, err := tell(ctx, t.boehm(), "version")
	if err != nil {
		return err
	}
	compiler, err := tell(ctx, "gcc", "-dumpfullversion")
	if err != nil {
		return err
	}
	t.built = append(t.built, "c")
	t.versions = append(t.versions, "Boehm's collector "+library+" with gcc "+compiler)
	return nil
}

// unpack writes the sources in folder to the toolbox.
func (t *toolbox) unpack(folder string) error {
	entries, err := sources.ReadDir(folder)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(t.dir, folder), 0o777); err != nil {
		return err
	}
	for _, e := range entries {
		text, err := sources.ReadFile(folder + "/" + e.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(t.dir, folder, e.Name()), text, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// tell runs a command and returns what it says, or an error with that in it.
func tell(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	said := strings.TrimSpace(string(out))
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%s is not installed", name)
	}
	if err != nil {
		first, _, _ := strings.Cut(said, "\n")
		return "", fmt.Errorf("%s: %w: %s", name, err, first)
	}
	return said, nil
}

// install asks Debian's package manager for what peers need.
func install(ctx context.Context, chosen []peer, stderr io.Writer) error {
	var packages []string
	for _, p := range chosen {
		if p.needs != nil {
			packages = append(packages, p.needs.packages...)
		}
	}
	slices.Sort(packages)
	packages = slices.Compact(packages)
	if len(packages) == 0 {
		return nil
	}
	for _, args := range [][]string{
		{"apt-get", "update"},
		append([]string{"apt-get", "install", "-y", "--no-install-recommends"}, packages...),
	} {
		if os.Geteuid() != 0 {
			args = append([]string{"sudo"}, args...)
		}
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		c.Stdout, c.Stderr = stderr, stderr
		if err := c.Run(); err != nil {
			return fmt.Errorf("%s: %w; install %s by other means, and run without --install",
				strings.Join(args, " "), err, strings.Join(packages, ", "))
		}
	}
	return nil
}

// prepare builds those of wanted that can be, and says of the others why not. It
// errs for them if they were named.
func (t *toolbox) prepare(ctx context.Context, wanted []peer, named bool) (ready []peer, leftOut []string, err error) {
	for _, p := range wanted {
		if p.needs == nil {
			ready = append(ready, p)
			continue
		}
		err := p.needs.prepare(ctx, t)
		if err == nil {
			ready = append(ready, p)
			continue
		}
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		why := fmt.Sprintf("%s: %v", p.name, err)
		if named {
			return nil, nil, fmt.Errorf("%s; it needs the packages %s, which --install installs", why, strings.Join(p.needs.packages, ", "))
		}
		leftOut = append(leftOut, why)
	}
	return ready, leftOut, nil
}

// machine describes where the figures come from.
func machine() string {
	model := cmp.Or(field("/proc/cpuinfo", "model name"), "unknown processor")
	memory := "unknown memory"
	var kib int64
	if n, _ := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%d kB", &kib); n == 1 {
		memory = bytesText(float64(kib << 10))
	}
	return fmt.Sprintf("%s, %d processors, %s, %s/%s", model, runtime.NumCPU(), memory, runtime.GOOS, runtime.GOARCH)
}

// field returns what a file of lines "name: value" says of name; nothing if it
// does not.
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
