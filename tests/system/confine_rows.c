#include "tests/system/confine_rows.h"

const char *const *shell(const char *text)
{
    static const char *argv[] = {"sh", "-c", NULL, NULL};
    argv[2] = text;
    return argv;
}

const char *const *python(const char *text)
{
    static const char *argv[] = {"python3", "-c", NULL, NULL};
    argv[2] = text;
    return argv;
}

const struct confine_row confine_rows[] = {
    {"a job sees no files open but 0, 1 and 2", python,
     "import os\ndef is_open(f):\n try: os.fstat(f); return True\n except OSError: return False\n"
     "print([f for f in range(4096) if is_open(f)])",
     "[0, 1, 2]\n", 0},
    {"stdin is empty", shell, "wc -c", "0\n", 0},
    {"all five capability sets are empty", shell, "grep -c '^Cap.*:.0000000000000000$' /proc/self/status", "5\n",
     0},
    {"no new privileges, and a filter", shell,
     "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\n\\t'", "NoNewPrivs:1Seccomp:2", 0},
    {"it is nobody in particular: one user, one group, no others", shell, "id -u; id -g; id -G",
     "1000\n1000\n1000\n", 0},
    {"the keeper is pid 1 inside, the job its child", shell, "echo $$ $PPID", "2 1\n", 0},
    {"a job sees its own processes only", python,
     "import os; print([p for p in os.listdir('/proc') if p.isdigit()])", "['2']\n", 0},
    {"nothing can be written but scratch and shared memory", shell,
     "for f in / /usr /etc /dev /var /run /proc /sys /proc/sys/kernel /tmp /dev/shm; do (: > $f/x) 2>/dev/null && "
     "echo $f; done",
     "/tmp\n/dev/shm\n", 0},
    {"scratch ends where it was said to", shell,
     "head -c 33554432 /dev/zero > /tmp/f 2>/dev/null; stat -c %s /tmp/f", "16777216\n", 0},
    {"scratch has as many inodes as it was given", shell,
     "i=0; while true > /tmp/$i; do i=$((i+1)); done 2>/dev/null; echo $i", "1000\n", 0},
    {"secrets and other people's files are not there", shell,
     "for f in /etc/shadow /root /home /work /boot /srv /etc/ssh /old_root; do [ -e $f ] && echo $f; done; "
     "true",
     "", 0},
    {"no file of the host is named by any mount's parent", shell,
     "ls /.. | grep -vx 'lib.*32' | tr '\\n' ' '; cd -P /proc/self/root/.. && ls -d work root 2>/dev/null; true",
     "bin dev etc lib lib64 mnt proc run sbin sys tmp usr var ", 0},
    {"a setuid program gains nothing", shell,
     "cp /usr/bin/id /tmp/i; chmod 6755 /tmp/i; /tmp/i -u; [ -u /usr/bin/su ] && su -c id 2>/dev/null; id -u",
     "1000\n1000\n", 0},
    {"there is one network interface, lo, and it works", python,
     "import socket\nprint([n for _,n in socket.if_nameindex()])\ns=socket.create_server(('127.0.0.1',0))\n"
     "c=socket.create_connection(s.getsockname()); print('connected')",
     "['lo']\nconnected\n", 0},
    {"the sandbox's own name resolves", python,
     "import socket; print(socket.gethostname(), socket.gethostbyname(socket.gethostname()))", "job-1 127.0.0.1\n",
     0},
    {"nothing outside can be reached", python,
     "import socket,errno\ns=socket.socket()\nprint(errno.errorcode[s.connect_ex(('192.0.2.1',80))])",
     "ENETUNREACH\n", 0},
    {"the keeper can't be killed, nor looked at", python,
     "import os,errno\nfor f in (lambda:os.kill(1,9), lambda:os.readlink('/proc/1/exe'), "
     "lambda:os.open('/proc/1/mem',2)):\n"
     " try: f(); print('!')\n except OSError as x: print(errno.errorcode[x.errno])",
     "EPERM\nENOENT\nENOENT\n", 0},
    {"its own program can't be written through /proc", python,
     "import os\nn=0\nfor f in ('/proc/self/exe','/bin/sh','/proc/self/root/usr/bin/python3'):\n"
     " try: os.open(f,os.O_WRONLY); print('!',f)\n except OSError: n+=1\nprint(n)",
     "3\n", 0},
    {"an interpreter line that names /proc/self/exe runs no more than the interpreter", shell,
     "printf '#!/proc/self/exe\\n' > /tmp/x; chmod 755 /tmp/x; /tmp/x </dev/null >/dev/null 2>&1; echo still",
     "still\n", 0},
    {"no further namespace may be made inside", shell,
     "cat /proc/sys/user/max_user_namespaces /proc/sys/user/max_mnt_namespaces /proc/sys/user/max_net_namespaces",
     "0\n0\n0\n", 0},
    {"what the kernel tells of others is masked", shell,
     "cat /proc/keys /proc/timer_list /proc/kallsyms 2>/dev/null | wc -c", "0\n", 0},
    {"kernel settings can't be changed", shell,
     "(echo 1 > /proc/sys/vm/drop_caches) 2>/dev/null || (echo b > /proc/sysrq-trigger) 2>/dev/null || echo denied",
     "denied\n", 0},
    {"no terminal", shell, "(: < /dev/tty) 2>/dev/null || echo none; ls /dev/ptmx /dev/console 2>/dev/null; true",
     "none\n", 0},
    {"the devices are the harmless five", shell, "cd /dev; stat -c '%n %t:%T' $(find . -type c | sort)",
     "./full 1:7\n./null 1:3\n./random 1:8\n./urandom 1:9\n./zero 1:5\n", 0},
    {"no cgroup file is visible, and its group has no name", shell, "ls /sys; grep -c reeve /proc/self/cgroup",
     "0\n", 1},
    {"old scores can't be had back: the job stays first to go", shell,
     "echo -900 2>/dev/null > /proc/self/oom_score_adj; cat /proc/self/oom_score_adj", "500\n", 0},
    {"limits: no core, 1024 files", shell, "ulimit -c; ulimit -n; ulimit -Hc", "0\n1024\n0\n", 0},
    {"threads, pipes, subprocesses and compilers' habits work", python,
     "import threading,subprocess,multiprocessing\nt=threading.Thread(target=lambda:print('thread',flush=True)); "
     "t.start(); t.join()\n"
     "print(subprocess.run(['echo','sub'],capture_output=True,text=True).stdout,end='')\n"
     "with multiprocessing.Pool(2) as p: print(sum(p.map(abs,[-1,-2])))",
     "thread\nsub\n3\n", 0},
    {"sort, hash and compress as usual", shell,
     "seq 1 20000 | sort -r | gzip -9 | gunzip | sort -n | tail -1 | sha256sum | cut -c1-8; cat /proc/meminfo | "
     "head -c 8",
     "0be50817\nMemTotal", 0},
    {"system calls that a job has no use for", python,
     PY_HEAD "E={1:'EPERM',38:'ENOSYS'}\n"
             "for n,a in "
             "{'unshare':(272,0x10000000),'mount':(165,0,0,0,0,0),'umount2':(166,0,0),'ptrace':(101,0,0,0,0),'"
             "keyctl':(250,0,0,0,0,0),'add_key':(248,0,0,0,0,0),"
             "'bpf':(321,0,0,0),'perf':(298,0,0,0,0,0),'userfaultfd':(323,0),'setns':(308,0,0),'pivot_root':(155,0,"
             "0),'chroot':(161,0),'by_handle':(304,0,0,0),"
             "'vm_read':(310,0,0,0,0,0,0),'kexec':(246,0,0,0,0),'module':(175,0,0,0),'reboot':(169,0,0,0,0),'"
             "swapon':(167,0,0),'ldt':(154,0,0,0),"
             "'fsopen':(430,0,0),'open_tree':(428,0,0,0),'move_mount':(429,0,0,0,0,0),'getfd':(438,0,0,0),'"
             "fanotify':(300,0,0),'iopl':(172,3),'settime':(227,0,0),'syslog':(103,3,0,0),"
             "'clone NEWUSER':(56,0x10000011,0,0,0,0),'clone "
             "NEWNET+high':(56,(1<<40)|0x40000011,0,0,0,0),'personality':(135,0x40000)}.items():\n"
             " r=call(*a)\n if r!=-1: print(n,r)\n"
             "for n,a in {'io_uring':(425,8,0),'clone3':(435,0,0),'future':(900,),'lsm':(459,0,0)}.items():\n "
             "r=call(*a)\n if r!=-38: print(n,r)\n"
             "print('done')",
     "done\n", 0},
    {"socket families: four of them, with no high bit to hide behind", python,
     PY_HEAD "ok=[f for f in range(64) if call(41,f,3 if f==16 else 2,0)>=0]\n"
             "hidden=[f for f in range(64) for h in (32,33,63) if call(41,f|(1<<h if h<63 else -(1<<63)),3 if "
             "f==16 else 2,0)>=0 and f not in ok]\n"
             "print(sorted(set(ok)|{10}),hidden,call(41,16,3,9),call(41,38,5,0))",
     "[1, 2, 10, 16] [] -1 -1\n", 0}, /* a kernel may lack IPv6 */
    {"nothing can be typed into a terminal", python,
     PY_HEAD "print([call(16,0,r|h,0) for r in (0x5412,0x541c) for h in (0,1<<32,1<<63)], call(16,0,0x5401,0))",
     "[-1, -1, -1, -1, -1, -1] -25\n", 0},
};

const size_t confine_rows_count = sizeof confine_rows / sizeof confine_rows[0];
