package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// connections are open at once in a bare read, as many as ngf-tui has lists under way.
const connections = 8

// bareRead sends the requests whose paths a file holds, a line each, over parallel connections of HTTP/1.1,
// and throws the answers away: what the API server alone needs. Of a list each page is asked for.
func (c *client) bareRead(file string) (string, error) {
	paths, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer paths.Close()
	plain := c.http.Transport.(*http.Transport).Clone()
	plain.DisableCompression = true
	plain.MaxIdleConnsPerHost = connections
	reader := client{base: c.base, http: http.Client{Transport: plain}}
	next := make(chan string)
	var group sync.WaitGroup
	var count, requests atomic.Int64
	var failed atomic.Value
	began := time.Now()
	for range connections {
		group.Add(1)
		go func() {
			defer group.Done()
			for path := range next {
				if err := reader.readAll(path, &count, &requests); err != nil {
					failed.Store(err)
				}
			}
		}()
	}
	lines := bufio.NewScanner(paths)
	for lines.Scan() {
		next <- lines.Text()
	}
	close(next)
	group.Wait()
	if err, ok := failed.Load().(error); ok {
		return "", err
	}
	return fmt.Sprintf("%.2f s, %d requests, %d bytes", time.Since(began).Seconds(), requests.Load(), count.Load()), lines.Err()
}

func (c *client) readAll(path string, count, requests *atomic.Int64) error {
	for at := path; at != ""; {
		request, err := http.NewRequest("GET", c.base+at, nil)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+token("admin"))
		answer, err := c.http.Do(request)
		if err != nil {
			return err
		}
		// The token of the next page is in the list's metadata, within the first bytes.
		var head strings.Builder
		read, err := io.Copy(io.MultiWriter(&limited{&head, 4096}, io.Discard), answer.Body)
		answer.Body.Close()
		if err != nil {
			return err
		}
		if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusNotFound {
			return fmt.Errorf("GET %s: %s", at, answer.Status)
		}
		count.Add(read)
		requests.Add(1)
		at = ""
		if _, rest, ok := strings.Cut(head.String(), `"continue":"`); ok {
			// Lists of custom resources have an empty one at their end.
			if token, _, _ := strings.Cut(rest, `"`); token != "" {
				at = path + "&continue=" + url.QueryEscape(token)
			}
		}
	}
	return nil
}

// limited keeps the first bytes that are written to it.
type limited struct {
	kept *strings.Builder
	left int
}

func (l *limited) Write(bytes []byte) (int, error) {
	kept := bytes[:min(len(bytes), l.left)]
	l.kept.Write(kept)
	l.left -= len(kept)
	return len(bytes), nil
}

// asked writes the paths that ngf-tui asked for since the audit log was last emptied to a file: lists by their
// first page, and objects by their names.
func (s *servers) asked(file string) (string, error) {
	log, err := os.Open(s.path("audit.log"))
	if err != nil {
		return "", err
	}
	defer log.Close()
	var text strings.Builder
	known := map[string]bool{}
	decoder := json.NewDecoder(log)
	for decoder.More() {
		var event struct {
			Verb, RequestURI, UserAgent string
			ObjectRef                   *struct{ Resource string }
		}
		if err := decoder.Decode(&event); err != nil {
			return "", err
		}
		if !strings.HasPrefix(event.UserAgent, "ngf-tui/") || event.ObjectRef == nil || known[event.RequestURI] {
			continue
		}
		if event.Verb == "get" || event.Verb == "list" && !strings.Contains(event.RequestURI, "continue=") {
			known[event.RequestURI] = true
			text.WriteString(event.RequestURI + "\n")
		}
	}
	return fmt.Sprint(len(known), " requests"), os.WriteFile(file, []byte(text.String()), 0o600)
}
