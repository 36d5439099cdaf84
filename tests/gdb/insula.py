# SPDX-License-Identifier: BSD-2-Clause
# GDB commands that show the hypervisor's objects: vms, vcpus, threads, hvlog, control (VMCS/VMCB).
# Loaded by "make debug"; reads memory only, except `control`, which calls the backend's dump.
import gdb


def nodes(head, type_name, field):
    """Every object of a list_node list, as pointers."""
    ptr = gdb.lookup_type(type_name).pointer()
    offset = int(gdb.parse_and_eval(f"(unsigned long)&(({type_name} *)0)->{field}"))
    node = head["next"]
    while int(node) != int(head.address):
        yield (node.cast(gdb.lookup_type("char").pointer()) - offset).cast(ptr)
        node = node["next"]


def vms():
    return nodes(gdb.parse_and_eval("'hv/vm.c'::vms"), "struct vm", "node")


def vcpus():
    for vm in vms():
        for i in range(int(vm["vcpu_count"])):
            if int(vm["vcpus"][i]):
                yield vm, vm["vcpus"][i]


class Simple(gdb.Command):
    def __init__(self, name, text, body):
        self.__doc__ = text
        self.body = body
        super().__init__(name, gdb.COMMAND_USER)

    def invoke(self, arg, from_tty):
        self.body(arg)


def show_vms(_):
    for vm in vms():
        print(f"{vm}  {vm['cfg']['name'].string():16} {vm['state']}  {int(vm['cfg']['memory']) >> 20} MiB"
              f"  vCPUs {int(vm['vcpu_count'])}  {vm['crash_reason'].string()}")


def show_vcpus(_):
    for vm, v in vcpus():
        thread = v["thread"]
        print(f"{v}  {vm['cfg']['name'].string()}/{int(v['id'])}  exits {int(v['exits'])}"
              f"  pending {int(v['pending']):#x} requests {int(v['requests']):#x}"
              f"  {thread['state'] if int(thread) else 'no thread'}")


def show_threads(_):
    for t in nodes(gdb.parse_and_eval("'hv/thread.c'::all"), "struct thread", "all"):
        print(f"{t}  {int(t['id']):3} {t['name'].string():20} {t['state']}  CPU {int(t['cpu'])}")


def show_log(arg):
    lines = gdb.parse_and_eval("'hv/base/log.c'::lines")
    written = int(gdb.parse_and_eval("'hv/base/log.c'::written"))
    kept = lines.type.range()[1] + 1
    count = min(written, kept, int(arg) if arg else kept)
    for number in range(written - count, written):
        line = lines[number % kept]
        print(line["text"].string(length=int(line["len"])), end="")


def show_control(arg):
    """The VMCS or VMCB of a vCPU: its backend prints it into the log, we print the log."""
    v = gdb.parse_and_eval(arg) if arg else next(vcpus())[1]
    before = int(gdb.parse_and_eval("'hv/base/log.c'::written"))
    gdb.execute(f"call hvm->dump((struct vcpu *){int(v)}, log_line)", to_string=True)
    show_log(str(int(gdb.parse_and_eval("'hv/base/log.c'::written")) - before))


Simple("vms", "List the virtual machines.", show_vms)
Simple("vcpus", "List the vCPUs.", show_vcpus)
Simple("threads", "List the hypervisor's threads.", show_threads)
Simple("hvlog", "Print the last N lines of the log: hvlog [N]", show_log)
Simple("control", "Print a vCPU's VMCS or VMCB: control [VCPU-POINTER]", show_control)
